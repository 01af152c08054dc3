/** The Python package's feature network, which classifies digits: 3×3 convolutions, a 4×4 pooling, a hidden layer. */

import { Convolution, type MapSize, sizeOf } from "./convolution";
import { affine, softmax } from "./layers";
import type { Tensors } from "./parameters";
import { type Layer, Parameters } from "./parameters";
import type { Workspace } from "./workspace";

const HALVING = [1, 3]; // the convolutions of stride 2
const POOLED = 4;
const BATCH = 16;

export class Classifier {
  readonly classes: number;
  private readonly convolutions: Convolution[];
  private readonly maps: number[]; // the image, then the output of each convolution
  private readonly pooled: number;
  private readonly hidden: Layer;
  private readonly last: Layer;
  private readonly features: number;
  private readonly scores: number;

  constructor(
    private readonly ws: Workspace,
    readonly image: MapSize,
    tensors: Tensors,
  ) {
    const parameters = new Parameters(ws);
    const shapes = Array.from({ length: 6 }, (_, i) => shapeOf(tensors, `convolutions.${i}.weight`));
    const layers = shapes.map(([outputs, inputs], i) => parameters.convolution(`convolutions.${i}`, inputs, outputs));
    const [features, flat] = shapeOf(tensors, "hidden.weight");
    const hidden = parameters.linear("hidden", flat, features);
    this.classes = shapeOf(tensors, "classes.weight")[0];
    const last = parameters.linear("classes", features, this.classes);
    parameters.place(false);
    parameters.read(tensors);
    let map = image;
    this.maps = [ws.allocate(BATCH * sizeOf(image))];
    this.convolutions = layers.map((layer, i) => {
      const convolution = new Convolution(ws, layer(), map, HALVING.includes(i) ? 2 : 1, BATCH);
      map = convolution.output;
      this.maps.push(ws.allocate(BATCH * sizeOf(map)));
      return convolution;
    });
    this.hidden = hidden();
    this.last = last();
    this.pooled = ws.allocate(BATCH * flat);
    this.features = ws.allocate(BATCH * features);
    this.scores = ws.allocate(BATCH * this.classes);
  }

  /** Class probabilities of images [n, H, W, C] in [0, 1]. */
  probabilities(images: Float32Array): Float64Array[] {
    const size = sizeOf(this.image);
    const result: Float64Array[] = [];
    for (let start = 0; start < images.length; start += BATCH * size) {
      result.push(...this.ofBatch(images.subarray(start, start + BATCH * size)));
    }
    return result;
  }

  private ofBatch(images: Float32Array): Float64Array[] {
    const { ws, maps, hidden, last } = this;
    const n = images.length / sizeOf(this.image);
    ws.floats.set(images, maps[0]);
    this.convolutions.forEach((convolution, i) => {
      convolution.forward(n, maps[i], maps[i + 1]);
      ws.kernels.leaky(maps[i + 1], maps[i + 1], n * sizeOf(convolution.output), 0);
    });
    this.pool(n, maps[maps.length - 1], this.convolutions[this.convolutions.length - 1].output);
    affine(ws, n, hidden.inputs, hidden.outputs, this.pooled, hidden.weight, hidden.bias, this.features);
    ws.kernels.leaky(this.features, this.features, n * hidden.outputs, 0);
    affine(ws, n, last.inputs, last.outputs, this.features, last.weight, last.bias, this.scores);
    return Array.from({ length: n }, (_, i) => softmax(ws.view(this.scores + i * this.classes, this.classes)));
  }

  /** Average-pool maps [n, h, w, c] to 4×4 cells, in PyTorch's order: [n, c, 4, 4]. */
  private pool(n: number, x: number, { height, width, channels }: MapSize): void {
    const f = this.ws.floats;
    const span = (cell: number, length: number) => [
      Math.floor((cell * length) / POOLED),
      Math.ceil(((cell + 1) * length) / POOLED),
    ];
    let to = this.pooled;
    for (let image = 0; image < n; image++) {
      for (let channel = 0; channel < channels; channel++) {
        for (let cell = 0; cell < POOLED * POOLED; cell++) {
          const [top, bottom] = span(Math.floor(cell / POOLED), height);
          const [left, right] = span(cell % POOLED, width);
          let sum = 0;
          for (let row = top; row < bottom; row++) {
            for (let column = left; column < right; column++) {
              sum += f[x + ((image * height + row) * width + column) * channels + channel];
            }
          }
          f[to++] = sum / ((bottom - top) * (right - left));
        }
      }
    }
  }
}

function shapeOf(tensors: Tensors, name: string): readonly number[] {
  const tensor = tensors.get(name);
  if (!tensor) {
    throw new Error(`${name} is missing`);
  }
  return tensor.shape;
}
