/**
 * The discriminator of the recipes `fast` and `best`, forward, backward and along a direction.
 *
 * It is linear between the kinks of its leaky ReLUs. So the gradient of the penalty |∇D(x)|² with respect to a kernel
 * needs no second derivatives: with v = ∇D(x) held constant, ½ ∂|∇D|²/∂W = ∂/∂W (v·∇D), and v·∇D is the output when v
 * goes forward through the same layers with the same masks and no biases. Its gradient at a layer is the product of two
 * known values: v, propagated as far as that layer, and the gradient of D there.
 */

import { Convolution, type MapSize, sizeOf } from "./convolution";
import { type Description, fineChannels, gridOf } from "./description";
import { affine, affineInputs, affineParameters, blocksToChannels, channelsToBlocks } from "./layers";
import { type Layer, Parameters } from "./parameters";
import type { Workspace } from "./workspace";

const HIDDEN = 128;

interface Stage {
  readonly convolution: Convolution;
  readonly output: number; // after the leaky ReLU
  readonly delta: number; // the gradient before the leaky ReLU
}

export class Discriminator {
  readonly parameters: Parameters;
  readonly outputs: number; // their number: the logits of all classes, then the scores of all; 1 without labels
  readonly output: number; // [batch, outputs]
  readonly dImages: number; // [batch, H, W, C], written by `backward` if wanted
  private readonly imageNumbers: number;
  private readonly classes: number;
  private readonly cells: MapSize; // the image in blocks of 2×2
  private readonly padded: number;
  private readonly blocks: number;
  private readonly stages: Stage[];
  private readonly summary: Layer;
  private readonly last: Layer;
  private readonly hidden: number;
  private readonly dHidden: number;
  private readonly direction: number;
  private readonly otherDirection: number;
  private readonly dOutput: number;
  private readonly spare: number;

  constructor(
    private readonly ws: Workspace,
    readonly description: Description,
    readonly batch: number,
  ) {
    const { image, classes, channels } = description;
    const grid = gridOf(image);
    const fine = fineChannels(channels);
    const widths = [...Array.from({ length: grid.doublings - 1 }, () => fine), channels];
    const parameters = new Parameters(ws);
    this.parameters = parameters;
    this.classes = classes;
    this.outputs = 2 * classes || 1;
    const first = parameters.convolution("first", 4 * image.channels, widths[0]);
    const shrink = widths.slice(1).map((width, i) => parameters.convolution(`shrink.${i}`, widths[i], width));
    const refine = parameters.convolution("refine", channels, channels);
    const summary = parameters.linear("summary", grid.height * grid.width * channels, HIDDEN, 0.7);
    const last = parameters.linear("last", HIDDEN, this.outputs, 0.5);
    parameters.place(true);

    const half = 2 ** (grid.doublings - 1);
    this.cells = { height: grid.height * half, width: grid.width * half, channels: 4 * image.channels };
    this.imageNumbers = sizeOf(image);
    this.padded = ws.allocate(batch * sizeOf(this.cells));
    this.blocks = ws.allocate(batch * sizeOf(this.cells));
    let map = this.cells;
    this.stages = [first, ...shrink, refine].map((layer) => {
      const convolution = new Convolution(ws, layer(), map, shrink.includes(layer) ? 2 : 1, batch);
      map = convolution.output;
      const place = () => ws.allocate(batch * sizeOf(map));
      return { convolution, output: place(), delta: place() };
    });
    this.summary = summary();
    this.last = last();
    this.hidden = ws.allocate(batch * HIDDEN);
    this.dHidden = ws.allocate(batch * HIDDEN);
    this.output = ws.allocate(batch * this.outputs);
    this.dOutput = ws.allocate(batch * this.outputs);
    this.dImages = ws.allocate(batch * this.imageNumbers);
    const largest = Math.max(sizeOf(this.cells), ...this.stages.map((stage) => sizeOf(stage.convolution.output)));
    this.direction = ws.allocate(batch * largest);
    this.otherDirection = ws.allocate(batch * largest);
    this.spare = ws.allocate(batch * Math.max(...this.stages.map((stage) => stage.convolution.patchNumbers)));
  }

  private get summarised(): Stage {
    return this.stages[this.stages.length - 1];
  }

  /** Judge images [n, H, W, C] in [0, 1]. The result lies at `output`. */
  forward(n: number, images: number): void {
    const { ws, cells } = this;
    ws.floats.fill(-1, this.padded, this.padded + n * sizeOf(cells));
    this.forImageRows(n, images, (image, padded, count) => {
      for (let i = 0; i < count; i++) {
        ws.floats[padded + i] = ws.floats[image + i] * 2 - 1;
      }
    });
    blocksToChannels(ws, n, cells.height, cells.width, cells.channels / 4, this.padded, this.blocks);
    let x = this.blocks;
    for (const { convolution, output } of this.stages) {
      convolution.forward(n, x, output);
      ws.kernels.leaky(output, output, n * sizeOf(convolution.output), this.description.slope);
      x = output;
    }
    affine(ws, n, this.summary.inputs, HIDDEN, x, this.summary.weight, this.summary.bias, this.hidden);
    ws.kernels.leaky(this.hidden, this.hidden, n * HIDDEN, this.description.slope);
    affine(ws, n, HIDDEN, this.outputs, this.hidden, this.last.weight, this.last.bias, this.output);
  }

  private forImageRows(n: number, images: number, visit: (image: number, padded: number, count: number) => void): void {
    const { height, width, channels } = this.description.image;
    const stride = 2 * this.cells.width * channels;
    for (let i = 0; i < n; i++) {
      for (let y = 0; y < height; y++) {
        const image = images + (i * height + y) * width * channels;
        visit(image, this.padded + (i * 2 * this.cells.height + y) * stride, width * channels);
      }
    }
  }

  /** The logit of each image judged last, for its label. */
  logits(labels: ArrayLike<number>, n: number): Float32Array {
    const { ws, outputs } = this;
    return Float32Array.from({ length: n }, (_, i) => ws.floats[this.output + i * outputs + this.place(labels, i)]);
  }

  /** The auxiliary classifier's scores [count, classes] of the images judged last, from image `first` on. */
  scores(first: number, count: number): Float32Array {
    const { ws, outputs, classes } = this;
    const result = new Float32Array(count * classes);
    for (let i = 0; i < count; i++) {
      const from = this.output + (first + i) * outputs + classes;
      result.set(ws.floats.subarray(from, from + classes), i * classes);
    }
    return result;
  }

  private place(labels: ArrayLike<number>, i: number): number {
    return this.classes ? labels[i] : 0;
  }

  /**
   * Backpropagate the gradients of the logits [n] and of the scores (those of the images from `firstScored` on).
   *
   * @param wanted with `parameters`, the gradients of the parameters are accumulated; with `images`, the gradient of
   * the images is written to `dImages`.
   */
  backward(
    labels: ArrayLike<number>,
    dLogits: ArrayLike<number>,
    dScores: Float32Array | null,
    firstScored: number,
    wanted: { readonly parameters: boolean; readonly images: boolean },
  ): void {
    const { ws, outputs, classes } = this;
    const n = dLogits.length;
    const f = ws.floats;
    f.fill(0, this.dOutput, this.dOutput + n * outputs);
    for (let i = 0; i < n; i++) {
      f[this.dOutput + i * outputs + this.place(labels, i)] = dLogits[i];
    }
    if (dScores) {
      for (let i = 0; i < dScores.length / classes; i++) {
        const to = this.dOutput + (firstScored + i) * outputs + classes;
        f.set(dScores.subarray(i * classes, (i + 1) * classes), to);
      }
    }
    const { summary, last } = this;
    const flat = this.summarised;
    if (wanted.parameters) {
      affineParameters(ws, n, HIDDEN, outputs, this.hidden, this.dOutput, last.dWeight, last.dBias);
    }
    affineInputs(ws, n, HIDDEN, outputs, this.dOutput, last.weight, this.dHidden);
    ws.kernels.leaky(this.dHidden, this.hidden, n * HIDDEN, this.description.slope);
    if (wanted.parameters) {
      affineParameters(ws, n, summary.inputs, HIDDEN, flat.output, this.dHidden, summary.dWeight, summary.dBias);
    }
    affineInputs(ws, n, summary.inputs, HIDDEN, this.dHidden, summary.weight, flat.delta);
    for (let i = this.stages.length - 1; i >= 0; i--) {
      const { convolution, output, delta } = this.stages[i];
      ws.kernels.leaky(delta, output, n * sizeOf(convolution.output), this.description.slope);
      if (wanted.parameters) {
        convolution.backwardParameters(n, delta);
      }
      if (i > 0) {
        convolution.backwardInputs(n, delta, this.stages[i - 1].delta, this.spare);
      } else if (wanted.images) {
        convolution.backwardInputs(n, delta, this.direction, this.spare);
        this.imagesBackward(n);
      }
    }
  }

  private imagesBackward(n: number): void {
    const { ws, cells } = this;
    channelsToBlocks(ws, n, cells.height, cells.width, cells.channels / 4, this.direction, this.padded);
    this.forImageRows(n, this.dImages, (image, padded, count) => {
      for (let i = 0; i < count; i++) {
        ws.floats[image + i] = ws.floats[padded + i] * 2;
      }
    });
  }

  /**
   * Add the gradient of weight · Σ |∇D(x)|² / 2 over the first `n` of the images judged last.
   *
   * It overwrites the patches of the images with those of a direction, and the gradients that `backward` left. Whatever
   * needs them has to come first.
   *
   * @returns Σ |∇D(x)|².
   */
  addPenalty(n: number, labels: ArrayLike<number>, weight: number): number {
    const { ws, cells } = this;
    this.backward(labels, new Float32Array(n).fill(1), null, 0, { parameters: false, images: true });
    const gradient = ws.view(this.dImages, n * this.imageNumbers);
    let total = 0;
    for (const g of gradient) {
      total += g * g;
    }
    ws.floats.fill(0, this.padded, this.padded + n * sizeOf(cells));
    this.forImageRows(n, this.dImages, (image, padded, count) => {
      for (let i = 0; i < count; i++) {
        ws.floats[padded + i] = ws.floats[image + i] * 2 * weight;
      }
    });
    blocksToChannels(ws, n, cells.height, cells.width, cells.channels / 4, this.padded, this.direction);
    let [x, y] = [this.direction, this.otherDirection];
    for (const { convolution, output, delta } of this.stages) {
      convolution.forward(n, x, y, false);
      convolution.backwardParameters(n, delta, false);
      ws.kernels.leaky(y, output, n * sizeOf(convolution.output), this.description.slope);
      [x, y] = [y, x];
    }
    const { summary, last } = this;
    affineParameters(ws, n, summary.inputs, HIDDEN, x, this.dHidden, summary.dWeight, null);
    affine(ws, n, summary.inputs, HIDDEN, x, summary.weight, null, y);
    ws.kernels.leaky(y, this.hidden, n * HIDDEN, this.description.slope);
    affineParameters(ws, n, HIDDEN, this.outputs, y, this.dOutput, last.dWeight, null);
    return total;
  }
}
