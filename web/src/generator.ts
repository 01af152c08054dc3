/** The generator of the recipes `fast` and `best`: latents and labels to images; forward, and backward by hand. */

import { Convolution, type MapSize, sizeOf } from "./convolution";
import { type Description, EMBEDDING, fineChannels, gridOf } from "./description";
import {
  affine,
  affineInputs,
  affineParameters,
  blocksToChannels,
  channelsToBlocks,
  scaleChannels,
  scaleChannelsBackward,
  sigmoid,
} from "./layers";
import { type Layer, Parameters } from "./parameters";
import type { Workspace } from "./workspace";

/** A convolution, then a scale for each channel, computed from latent and label, then a leaky ReLU. */
interface Scaled {
  readonly convolution: Convolution;
  readonly grows: boolean; // whether its channels become 2×2 blocks before they are scaled
  readonly scale: Layer;
  readonly map: MapSize; // of the output
  readonly unscaled: number;
  readonly factors: number;
  readonly output: number;
}

export class Generator {
  readonly parameters: Parameters;
  readonly imageNumbers: number;
  readonly images: number; // [batch, H, W, C] in (0, 1)
  private readonly style: number;
  private readonly dStyle: number;
  private readonly styleNumbers: number;
  private readonly embedding: number;
  private readonly first: Layer;
  private readonly firstNumbers: number;
  private readonly firstOutput: number;
  private readonly stages: Scaled[];
  private readonly last: Convolution;
  private readonly lastOutput: number;
  private readonly padded: number;
  private readonly gradient: number;
  private readonly otherGradient: number;
  private readonly spare: number;
  private labels: Int32Array = new Int32Array(0);

  /**
   * @param batch the largest number of images at once.
   * @param learns whether `backward` computes the gradients of the parameters, besides those of the latents.
   */
  constructor(
    private readonly ws: Workspace,
    readonly description: Description,
    readonly batch: number,
    private readonly learns: boolean,
  ) {
    const { image, classes, latent, channels } = description;
    const grid = gridOf(image);
    const fine = fineChannels(channels);
    const parameters = new Parameters(ws);
    this.parameters = parameters;
    this.styleNumbers = latent + (classes ? EMBEDDING : 0);
    const embedding = classes ? parameters.embedding("embedding", classes, EMBEDDING) : 0;
    this.firstNumbers = grid.height * grid.width * channels;
    const first = parameters.linear("first", this.styleNumbers, this.firstNumbers, 0.8);
    const levels = Array.from({ length: grid.doublings - 1 }, (_, level) => level);
    const width = (level: number) => (level ? fine : channels);
    const grow = levels.map((i) => parameters.convolution(`grow.${i}`, width(i), 4 * fine));
    const refine = levels.map((i) => parameters.convolution(`refine.${i}`, fine, fine));
    const scales = levels.flatMap((i) =>
      [2 * i, 2 * i + 1].map((j) => parameters.linear(`scales.${j}`, this.styleNumbers, fine, 0.1)),
    );
    const last = parameters.convolution("last", width(levels.length), 4 * image.channels, 0.3, -2);
    parameters.place(learns);

    this.embedding = parameters.values + embedding;
    this.first = first();
    this.style = ws.allocate(batch * this.styleNumbers);
    this.dStyle = ws.allocate(batch * this.styleNumbers);
    this.firstOutput = ws.allocate(batch * this.firstNumbers);
    let map: MapSize = { height: grid.height, width: grid.width, channels };
    this.stages = levels.flatMap((level) => {
      const grown = new Convolution(ws, grow[level](), map, 1, batch);
      const fineMap = { height: 2 * map.height, width: 2 * map.width, channels: fine };
      const refined = new Convolution(ws, refine[level](), fineMap, 1, batch);
      map = fineMap;
      return [
        this.stage(grown, true, scales[2 * level](), fineMap),
        this.stage(refined, false, scales[2 * level + 1](), fineMap),
      ];
    });
    this.last = new Convolution(ws, last(), map, 1, batch);
    this.lastOutput = ws.allocate(batch * sizeOf(this.last.output));
    this.padded = ws.allocate(batch * sizeOf(this.last.output));
    this.imageNumbers = sizeOf(image);
    this.images = ws.allocate(batch * this.imageNumbers);
    const convolutions = [this.last, ...this.stages.map((stage) => stage.convolution)];
    const largest = Math.max(...convolutions.flatMap((one) => [sizeOf(one.input), sizeOf(one.output)]));
    this.gradient = ws.allocate(batch * largest);
    this.otherGradient = ws.allocate(batch * largest);
    this.spare = ws.allocate(batch * Math.max(...convolutions.map((one) => one.patchNumbers)));
  }

  private stage(convolution: Convolution, grows: boolean, scale: Layer, map: MapSize): Scaled {
    const { ws, batch } = this;
    const place = () => ws.allocate(batch * sizeOf(map));
    const factors = ws.allocate(batch * map.channels);
    return { convolution, grows, scale, map, unscaled: place(), factors, output: place() };
  }

  /**
   * Draw images into `images`.
   *
   * @param latents [n, D].
   * @param labels [n]; ignored by a generator without labels. A label out of range is an error.
   */
  forward(latents: Float32Array, labels: ArrayLike<number>): void {
    const { ws, description, styleNumbers } = this;
    const n = latents.length / description.latent;
    this.labels = Int32Array.from(labels);
    for (let i = 0; i < n; i++) {
      const to = this.style + i * styleNumbers;
      ws.floats.set(latents.subarray(i * description.latent, (i + 1) * description.latent), to);
      if (description.classes) {
        if (!(labels[i] >= 0 && labels[i] < description.classes)) {
          throw new Error(`there is no label ${labels[i]}. Labels are 0 to ${description.classes - 1}.`);
        }
        const row = this.embedding + this.labels[i] * EMBEDDING;
        ws.floats.copyWithin(to + description.latent, row, row + EMBEDDING);
      }
    }
    affine(ws, n, styleNumbers, this.firstNumbers, this.style, this.first.weight, this.first.bias, this.firstOutput);
    ws.kernels.leaky(this.firstOutput, this.firstOutput, n * this.firstNumbers, this.description.slope);
    let x = this.firstOutput;
    for (const stage of this.stages) {
      this.stageForward(n, stage, x);
      x = stage.output;
    }
    this.last.forward(n, x, this.lastOutput);
    const { height, width } = this.last.output;
    channelsToBlocks(ws, n, height, width, description.image.channels, this.lastOutput, this.padded);
    this.forImageRows(n, (image, padded, count) => {
      for (let i = 0; i < count; i++) {
        ws.floats[image + i] = sigmoid(ws.floats[padded + i]);
      }
    });
  }

  private stageForward(n: number, stage: Scaled, x: number): void {
    const { ws } = this;
    const { convolution, map, scale } = stage;
    if (stage.grows) {
      convolution.forward(n, x, stage.output); // as scratch: it is as large as the blocks
      const { height, width } = convolution.output;
      channelsToBlocks(ws, n, height, width, map.channels, stage.output, stage.unscaled);
    } else {
      convolution.forward(n, x, stage.unscaled);
    }
    affine(ws, n, this.styleNumbers, map.channels, this.style, scale.weight, scale.bias, stage.factors);
    scaleChannels(ws, n, map.height * map.width, map.channels, stage.unscaled, stage.factors, stage.output);
    ws.kernels.leaky(stage.output, stage.output, n * sizeOf(map), this.description.slope);
  }

  /** Visit each row of the images: its place in `images`, and its place in the maps, whose grid may be larger. */
  private forImageRows(n: number, visit: (image: number, padded: number, count: number) => void): void {
    const { height, width, channels } = this.description.image;
    const stride = 2 * this.last.output.width * channels;
    const rowsOfGrid = 2 * this.last.output.height;
    for (let i = 0; i < n; i++) {
      for (let y = 0; y < height; y++) {
        const image = this.images + (i * height + y) * width * channels;
        visit(image, this.padded + (i * rowsOfGrid + y) * stride, width * channels);
      }
    }
  }

  /**
   * Backpropagate the gradient [n, H, W, C] of the images drawn last. If the generator learns, the gradients of its
   * parameters are accumulated.
   *
   * @returns the gradient of the latents [n, D].
   */
  backward(n: number, dImages: number): Float32Array {
    const { ws, description } = this;
    const f = ws.floats;
    f.fill(0, this.dStyle, this.dStyle + n * this.styleNumbers);
    f.fill(0, this.gradient, this.gradient + n * sizeOf(this.last.output));
    this.forImageRows(n, (image, padded, count) => {
      const from = image - this.images + dImages;
      const to = padded - this.padded + this.gradient;
      for (let i = 0; i < count; i++) {
        const y = f[image + i];
        f[to + i] = f[from + i] * y * (1 - y);
      }
    });
    const { height, width } = this.last.output;
    blocksToChannels(ws, n, height, width, description.image.channels, this.gradient, this.otherGradient);
    this.convolutionBackward(n, this.last, this.otherGradient, this.gradient);
    for (const stage of this.stages.slice().reverse()) {
      this.stageBackward(n, stage);
    }
    ws.kernels.leaky(this.gradient, this.firstOutput, n * this.firstNumbers, this.description.slope);
    this.styleBackward(n, this.first, this.gradient);
    return this.gradientOfLatents(n);
  }

  private convolutionBackward(n: number, convolution: Convolution, dy: number, dx: number): void {
    if (this.learns) {
      convolution.backwardParameters(n, dy);
    }
    convolution.backwardInputs(n, dy, dx, this.spare);
  }

  private stageBackward(n: number, stage: Scaled): void {
    const { ws, gradient, otherGradient } = this;
    const { map, convolution } = stage;
    ws.kernels.leaky(gradient, stage.output, n * sizeOf(map), this.description.slope);
    const dFactors = this.spare;
    const positions = map.height * map.width;
    scaleChannelsBackward(ws, n, positions, map.channels, stage.unscaled, stage.factors, gradient, dFactors);
    this.styleBackward(n, stage.scale, dFactors);
    if (stage.grows) {
      const { height, width } = convolution.output;
      blocksToChannels(ws, n, height, width, map.channels, gradient, otherGradient);
    } else {
      ws.floats.copyWithin(otherGradient, gradient, gradient + n * sizeOf(map));
    }
    this.convolutionBackward(n, convolution, otherGradient, gradient);
  }

  private styleBackward(n: number, layer: Layer, dy: number): void {
    const { ws, style, dStyle, styleNumbers } = this;
    if (this.learns) {
      affineParameters(ws, n, styleNumbers, layer.outputs, style, dy, layer.dWeight, layer.dBias);
    }
    affineInputs(ws, n, styleNumbers, layer.outputs, dy, layer.weight, dStyle, true);
  }

  private gradientOfLatents(n: number): Float32Array {
    const { ws, styleNumbers, description, parameters } = this;
    const f = ws.floats;
    const result = new Float32Array(n * description.latent);
    for (let i = 0; i < n; i++) {
      const from = this.dStyle + i * styleNumbers;
      result.set(f.subarray(from, from + description.latent), i * description.latent);
      if (this.learns && description.classes) {
        const row = this.embedding - parameters.values + parameters.gradients + this.labels[i] * EMBEDDING;
        for (let k = 0; k < EMBEDDING; k++) {
          f[row + k] += f[from + description.latent + k];
        }
      }
    }
    return result;
  }
}

/** A latent, `count` times: from latent [D] to latents [count, D]. */
export function repeated(latent: Float32Array, count: number): Float32Array {
  const result = new Float32Array(latent.length * count);
  for (let i = 0; i < count; i++) {
    result.set(latent, i * latent.length);
  }
  return result;
}

/** How many images of this size to draw at once: 20 up to 64×64, and fewer of larger ones, which need more memory. */
export function drawingBatch({ height, width }: MapSize): number {
  return Math.max(1, Math.min(20, Math.floor((20 * 64 * 64) / (height * width))));
}

/** Draw any number of images with a generator, a batch at a time. */
export function drawAll(
  ws: Workspace,
  generator: Generator,
  drawn: Float32Array,
  labels: ArrayLike<number>,
): Float32Array {
  const { latent } = generator.description;
  const n = drawn.length / latent;
  const result = new Float32Array(n * generator.imageNumbers);
  for (let start = 0; start < n; start += generator.batch) {
    const end = Math.min(n, start + generator.batch);
    generator.forward(drawn.subarray(start * latent, end * latent), Array.from(labels).slice(start, end));
    result.set(ws.view(generator.images, (end - start) * generator.imageNumbers), start * generator.imageNumbers);
  }
  return result;
}
