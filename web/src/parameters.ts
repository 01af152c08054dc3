/**
 * A network's parameters, one after the other in a workspace, so that an optimiser sees a single long row of numbers.
 *
 * Kernels have the layout of matrix products: [9·C, O] for a convolution, which PyTorch stores as [O, C, 3, 3], and
 * [I, O] for a linear function, which PyTorch stores as [O, I]. `read` and `write` convert from and to PyTorch's order.
 */

import type { Workspace } from "./workspace";

/** An array as saved, in PyTorch's order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export type Tensors = ReadonlyMap<string, Tensor>;

/** Where a convolution's or a linear function's numbers lie. */
export interface Layer {
  readonly inputs: number; // rows of the kernel: 9·C or I
  readonly outputs: number;
  readonly weight: number;
  readonly bias: number;
  readonly dWeight: number;
  readonly dBias: number;
}

interface Entry {
  readonly name: string;
  readonly shape: readonly number[]; // PyTorch's
  readonly start: number; // from the first parameter
  readonly size: number;
  readonly gain: number; // factor of the initial standard deviation; of a bias, its initial value
  readonly kind: "kernel" | "bias" | "embedding";
}

/** The parameters of a network. Declare all of them, then call `place`, which gives them memory. */
export class Parameters {
  count = 0;
  values = 0;
  gradients = 0;
  private readonly entries: Entry[] = [];

  constructor(private readonly ws: Workspace) {}

  private add(name: string, shape: readonly number[], kind: Entry["kind"], gain: number): number {
    const size = shape.reduce((a, b) => a * b, 1);
    const start = this.count;
    this.entries.push({ name, shape, start, size, gain, kind });
    this.count += size;
    return start;
  }

  /** Declare a convolution from `inputs` to `outputs` channels. Call the result after `place`. */
  convolution(name: string, inputs: number, outputs: number, gain = 1, bias = 0): () => Layer {
    return this.layer(name, [outputs, inputs, 3, 3], gain, bias);
  }

  /** Declare a linear function. Call the result after `place`. */
  linear(name: string, inputs: number, outputs: number, gain = 1): () => Layer {
    return this.layer(name, [outputs, inputs], gain, 0);
  }

  private layer(name: string, shape: readonly number[], gain: number, biasValue: number): () => Layer {
    const weight = this.add(`${name}.weight`, shape, "kernel", gain);
    const bias = this.add(`${name}.bias`, shape.slice(0, 1), "bias", biasValue);
    const inputs = shape.slice(1).reduce((a, b) => a * b, 1);
    return () => ({
      inputs,
      outputs: shape[0],
      weight: this.values + weight,
      bias: this.values + bias,
      dWeight: this.gradients + weight,
      dBias: this.gradients + bias,
    });
  }

  /** Declare a table of embeddings; return its offset from the first parameter. */
  embedding(name: string, classes: number, size: number): number {
    return this.add(name, [classes, size], "embedding", 1);
  }

  /** Allocate memory for the parameters and, if they learn, for their gradients. */
  place(learns: boolean): void {
    this.values = this.ws.allocate(this.count);
    this.gradients = learns ? this.ws.allocate(this.count) : 0;
  }

  clearGradients(): void {
    this.ws.floats.fill(0, this.gradients, this.gradients + this.count);
  }

  /** Draw the weights: He et al., "Delving Deep into Rectifiers", 2015, equation 10, times each layer's gain. */
  initialise(normal: () => number): void {
    for (const entry of this.entries) {
      const fanIn = entry.shape.slice(1).reduce((a, b) => a * b, 1);
      const deviation = entry.kind === "kernel" ? entry.gain * Math.sqrt(2 / fanIn) : 1;
      const values = this.ws.view(this.values + entry.start, entry.size);
      for (let i = 0; i < entry.size; i++) {
        values[i] = entry.kind === "bias" ? entry.gain : deviation * normal();
      }
    }
  }

  /** Take the values from arrays. An array that is missing or of another shape is an error. */
  read(tensors: Tensors): void {
    for (const entry of this.entries) {
      const tensor = tensors.get(entry.name);
      if (!tensor || tensor.shape.join() !== entry.shape.join()) {
        throw new Error(`${entry.name} should be [${entry.shape}] and is [${tensor ? tensor.shape : "missing"}]`);
      }
      permute(entry, tensor.data, this.ws.view(this.values + entry.start, entry.size), true);
    }
  }

  /** The values, or the gradients, as arrays. */
  write(from = this.values): Map<string, Tensor> {
    return new Map(
      this.entries.map((entry) => {
        const data = new Float32Array(entry.size);
        permute(entry, this.ws.view(from + entry.start, entry.size), data, false);
        return [entry.name, { shape: entry.shape, data }];
      }),
    );
  }
}

/** Copy between PyTorch's order [O, C, positions] and ours [positions, C, O]. */
function permute(entry: Entry, from: Float32Array, to: Float32Array, toOurs: boolean): void {
  if (entry.kind !== "kernel") {
    to.set(from);
    return;
  }
  const [outputs, channels] = entry.shape;
  const positions = entry.size / (outputs * channels);
  for (let o = 0; o < outputs; o++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < positions; p++) {
        const theirs = (o * channels + c) * positions + p;
        const ours = (p * channels + c) * outputs + o;
        to[toOurs ? ours : theirs] = from[toOurs ? theirs : ours];
      }
    }
  }
}
