/** A 3×3 convolution for maps of one size. It keeps the patches that its gradient needs. */

import { affine, affineInputs, affineParameters, patches, strided } from "./layers";
import type { Layer } from "./parameters";
import type { Workspace } from "./workspace";

export interface MapSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export function sizeOf(map: MapSize): number {
  return map.height * map.width * map.channels;
}

export class Convolution {
  readonly output: MapSize;
  private readonly positions: number;
  private readonly patches: number;

  constructor(
    private readonly ws: Workspace,
    private readonly layer: Layer,
    readonly input: MapSize,
    private readonly stride: number,
    batch: number,
  ) {
    const height = strided(input.height, stride);
    const width = strided(input.width, stride);
    this.output = { height, width, channels: layer.outputs };
    this.positions = height * width;
    this.patches = ws.allocate(batch * this.patchNumbers);
  }

  /** The number of values in the patches of one image. */
  get patchNumbers(): number {
    return this.positions * this.layer.inputs;
  }

  /** Compute y [n, h', w', o] from maps x. Leave out the bias to propagate a direction instead of an input. */
  forward(n: number, x: number, y: number, withBias = true): void {
    const { ws, layer, input } = this;
    patches(ws, n, input.height, input.width, input.channels, this.stride, x, this.patches);
    const bias = withBias ? layer.bias : null;
    affine(ws, n * this.positions, layer.inputs, layer.outputs, this.patches, layer.weight, bias, y);
  }

  /** Add the gradients of kernel and bias, for the maps of the last `forward`. */
  backwardParameters(n: number, dy: number, withBias = true): void {
    const { ws, layer } = this;
    const dBias = withBias ? layer.dBias : null;
    affineParameters(ws, n * this.positions, layer.inputs, layer.outputs, this.patches, dy, layer.dWeight, dBias);
  }

  /** Write the gradient of the maps to `dx`; `spare` has room for the patches of n images. */
  backwardInputs(n: number, dy: number, dx: number, spare: number): void {
    const { ws, layer, input } = this;
    affineInputs(ws, n * this.positions, layer.inputs, layer.outputs, dy, layer.weight, spare);
    ws.kernels.addPatches(n, input.height, input.width, input.channels, this.stride, spare, dx);
  }
}
