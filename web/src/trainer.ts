/** The recipe `fast`: compact networks, a regularised game, and an average of the generator; one step at a time. */

import { Adam } from "./adam";
import type { MapSize } from "./convolution";
import type { Description } from "./description";
import { Discriminator } from "./discriminator";
import { type GameName, play } from "./games";
import { drawAll, Generator } from "./generator";
import { crossEntropy, sigmoid } from "./layers";
import { BatchOrder, latents, Philox, Stream } from "./philox";
import { type Kernel, Workspace } from "./workspace";

/** Settings that may change between two steps. */
export interface Settings {
  readonly game: GameName;
  readonly generatorRate: number; // learning rates
  readonly discriminatorRate: number;
  readonly penaltyWeight: number; // γ of R1 and R2 as in the papers, for pixels in [-1, 1]
  readonly penaltyEvery: number;
  readonly penaltyOn: "both" | "real";
  readonly classWeight: number; // of the auxiliary classifier, in both losses
  readonly average: number; // the half-life of the generator's average, as a share of the steps so far
  readonly fade: number; // the share of a long run, at its end, in which learning rates go to zero
  readonly frozenDiscriminator: boolean;
  readonly shuffledLabels: boolean; // random labels for the real images, as in a broken data set
}

/** The settings of `fast`. */
export const FAST: Settings = {
  game: "relativistic",
  generatorRate: 3e-3,
  discriminatorRate: 3e-3,
  penaltyWeight: 0.4,
  penaltyEvery: 8,
  penaltyOn: "both",
  classWeight: 0.3,
  average: 0.1,
  fade: 0.75,
  frozenDiscriminator: false,
  shuffledLabels: false,
};

/**
 * Its networks: the numbers in a latent, the channels of the coarsest maps, and the slope of the leaky ReLUs for
 * negative numbers.
 */
export const LATENT = 64;
const CHANNELS = 48;
const SLOPE = 0.1;
/** Learning rates do not fade in runs of up to SHORT steps; from LONG steps on, they fade over all of `fade`. */
const SHORT = 300;
const LONG = 1800;

/** Real images, uint8 [N, H, W, C] with 0 for paper, and their labels [N], or null without labels. */
export interface Data {
  readonly image: MapSize;
  readonly pixels: Uint8Array;
  readonly labels: ArrayLike<number> | null;
  readonly classes: number;
}

/** Real images whose labels are known. */
export interface Labelled extends Data {
  readonly labels: ArrayLike<number>;
}

/** The figures of a step, each taken before the update that uses it. */
export interface Figures {
  readonly step: number;
  readonly lossGenerator: number;
  readonly lossDiscriminator: number;
  readonly lossClassReal: number;
  readonly lossClassFake: number;
  readonly penalty: number | null; // null in steps without it
  readonly logitsReal: Float32Array;
  readonly logitsFake: Float32Array;
  readonly scoreReal: number; // mean probability of "real"
  readonly scoreFake: number;
  readonly finite: boolean;
}

export interface TrainerOptions {
  readonly data: Data;
  readonly seed?: number | bigint;
  readonly batch?: number;
  readonly steps?: number; // of the whole run; the learning rates fade towards its end
  readonly settings?: Partial<Settings>;
  readonly kernel?: Kernel;
  readonly epsilon?: number; // of Adam
}

export class Trainer {
  readonly generator: Generator;
  readonly discriminator: Discriminator;
  /** The average of the generator, which draws the images. */
  readonly average: Generator;
  settings: Settings;
  step = 0;
  readonly workspace: Workspace;
  readonly data: Data;
  private readonly seed: number | bigint;
  private readonly batch: number;
  private readonly steps: number;
  private readonly order: BatchOrder;
  private readonly generatorAdam: Adam;
  private readonly discriminatorAdam: Adam;
  private readonly images: number; // real, then generated

  constructor(options: TrainerOptions) {
    const { data, seed = 0, batch = 64, steps = 2500, epsilon = 1e-8 } = options;
    const ws = options.kernel ? new Workspace(options.kernel) : new Workspace();
    this.workspace = ws;
    this.data = data;
    this.seed = seed;
    this.batch = batch;
    this.steps = steps;
    this.settings = { ...FAST, ...options.settings };
    const { image, classes } = data;
    const description: Description = { image, classes, latent: LATENT, channels: CHANNELS, slope: SLOPE };
    this.generator = new Generator(ws, description, batch, true);
    this.discriminator = new Discriminator(ws, description, 2 * batch);
    this.average = new Generator(ws, description, 10, false);
    this.generatorAdam = new Adam(ws, this.generator.parameters, epsilon);
    this.discriminatorAdam = new Adam(ws, this.discriminator.parameters, epsilon);
    this.images = ws.allocate(2 * batch * this.generator.imageNumbers);
    this.order = new BatchOrder(seed, data.pixels.length / this.generator.imageNumbers, batch);
    const source = new Philox(seed, Stream.INITIALISATION);
    this.discriminator.parameters.initialise(() => source.normal32());
    this.generator.parameters.initialise(() => source.normal32());
    const { values, count } = this.generator.parameters;
    ws.floats.copyWithin(this.average.parameters.values, values, values + count); // the average begins there
  }

  /** Whether all steps are done: the learning rates are 0, and nothing more is learned. */
  get complete(): boolean {
    return this.step >= this.steps;
  }

  /** Update both networks once. As soon as a loss is not finite, nothing more is updated, and `finite` is false. */
  next(): Figures {
    const { settings, batch, seed, step } = this;
    const rate = this.remainingRate();
    const labels = this.takeBatch(step);
    const drawn = latents(seed, Stream.GENERATOR_LATENTS, step, batch, this.generator.description.latent);
    this.generator.forward(drawn, labels.fake);
    const size = batch * this.generator.imageNumbers;
    this.workspace.floats.copyWithin(this.images + size, this.generator.images, this.generator.images + size);
    const judged = this.discriminatorStep(labels, settings.discriminatorRate * rate);
    const made = this.generatorStep(labels.fake, judged.logitsReal, settings.generatorRate * rate, judged.finite);
    if (made.finite) {
      this.moveAverage();
      this.step++;
    }
    // Both parts have a `finite`; the generator's is false also if a loss of the discriminator was not.
    return { step, ...judged, ...made, finite: made.finite };
  }

  /** The factor of the learning rates, 1 to 0. They fade over the last share of a run, a smaller one in short runs. */
  private remainingRate(): number {
    const share = this.settings.fade * Math.min(1, Math.max(0, (this.steps - SHORT) / (LONG - SHORT)));
    const progress = Math.min(1, this.step / this.steps);
    return share ? Math.min(1, (1 - progress) / share) : 1;
  }

  /** Load the real images of a step into memory; return their labels, and the labels to draw. */
  private takeBatch(step: number): { real: Int32Array; fake: Int32Array } {
    const { data, workspace, generator } = this;
    const indices = this.order.batch(step);
    const size = generator.imageNumbers;
    const place = workspace.view(this.images, indices.length * size);
    indices.forEach((index, i) => {
      for (let k = 0; k < size; k++) {
        place[i * size + k] = data.pixels[index * size + k] / 255;
      }
    });
    const labels = Int32Array.from(indices, (index) => data.labels?.[index] ?? 0);
    if (!this.settings.shuffledLabels || !data.classes) {
      return { real: labels, fake: labels };
    }
    const source = new Philox(this.seed, Stream.WRITING, step);
    return { real: labels.map(() => source.integer(data.classes)), fake: labels };
  }

  private discriminatorStep(labels: { real: Int32Array; fake: Int32Array }, learningRate: number) {
    const { discriminator, settings, batch, data } = this;
    const { penaltyWeight, penaltyEvery, penaltyOn, classWeight, game } = settings;
    const both = new Int32Array(2 * batch);
    both.set(labels.real);
    both.set(labels.fake, batch);
    discriminator.forward(2 * batch, this.images);
    const logits = discriminator.logits(both, 2 * batch);
    const logitsReal = logits.slice(0, batch);
    const logitsFake = logits.slice(batch);
    const played = play(game, "discriminator", logitsReal, logitsFake);
    const dLogits = new Float32Array(2 * batch);
    dLogits.set(played.dReal);
    dLogits.set(played.dFake, batch);
    const { loss: lossClassReal, gradient } = this.classLoss(labels.real, classWeight);
    discriminator.parameters.clearGradients();
    discriminator.backward(both, dLogits, gradient, 0, { parameters: true, images: false });
    let penalty: number | null = null;
    if (penaltyWeight > 0 && this.step % penaltyEvery === 0) {
      const weight = ((penaltyWeight / 4) * penaltyEvery) / batch; // pixels are in [0, 1] here: gradients are twice as large
      penalty = (weight / 2) * discriminator.addPenalty(penaltyOn === "both" ? 2 * batch : batch, both, weight);
    }
    const finite = Number.isFinite(played.loss + lossClassReal + (penalty ?? 0));
    if (finite && !settings.frozenDiscriminator) {
      this.discriminatorAdam.step(learningRate);
    }
    const mean = (values: Float32Array) => values.reduce((sum, x) => sum + sigmoid(x), 0) / batch;
    return {
      lossDiscriminator: played.loss,
      lossClassReal: data.classes ? lossClassReal : 0,
      penalty,
      logitsReal,
      logitsFake,
      scoreReal: mean(logitsReal),
      scoreFake: mean(logitsFake),
      finite,
    };
  }

  /** The auxiliary classifier's weighted loss on the first `batch` of the images judged last. */
  private classLoss(labels: Int32Array, weight: number): { loss: number; gradient: Float32Array | null } {
    const { discriminator, batch, data } = this;
    if (!data.classes) {
      return { loss: 0, gradient: null };
    }
    const scores = discriminator.scores(0, batch);
    const gradient = new Float32Array(scores.length);
    const loss = weight * crossEntropy(scores, labels, data.classes, weight, gradient);
    return { loss, gradient };
  }

  /** Update the generator, by how the updated discriminator judges the images that it drew. */
  private generatorStep(labels: Int32Array, logitsReal: Float32Array, learningRate: number, finiteSoFar: boolean) {
    const { discriminator, generator, settings, batch } = this;
    discriminator.forward(batch, generator.images);
    const played = play(settings.game, "generator", logitsReal, discriminator.logits(labels, batch));
    const { loss: lossClassFake, gradient } = this.classLoss(labels, settings.classWeight);
    discriminator.backward(labels, played.dFake, gradient, 0, { parameters: false, images: true });
    generator.parameters.clearGradients();
    generator.backward(batch, discriminator.dImages);
    const finite = finiteSoFar && Number.isFinite(played.loss + lossClassFake);
    if (finite) {
      this.generatorAdam.step(learningRate);
    }
    return { lossGenerator: played.loss, lossClassFake, finite };
  }

  /** Move the average towards the generator; its half-life is a share of the steps done so far. */
  private moveAverage(): void {
    const halfLife = Math.max(this.settings.average * (this.step + 1), 1e-3);
    const share = 1 - 0.5 ** (1 / halfLife);
    const f = this.workspace.floats;
    const { values, count } = this.generator.parameters;
    const average = this.average.parameters.values;
    for (let i = 0; i < count; i++) {
      f[average + i] += share * (f[values + i] - f[average + i]);
    }
  }

  /** Draw images [N, H, W, C] in (0, 1) with the average of the generator, for latents [N, D] and labels [N]. */
  draw(drawn: Float32Array, labels: ArrayLike<number>): Float32Array {
    return drawAll(this.workspace, this.average, drawn, labels);
  }

  /** Logits for images [N, H, W, C] in [0, 1] and labels [N], and their gradients with respect to the pixels. */
  critique(images: Float32Array, labels: readonly number[]): { logits: Float32Array; gradient: Float32Array } {
    const { discriminator, workspace, generator, batch } = this;
    const size = generator.imageNumbers;
    const logits = new Float32Array(labels.length);
    const gradient = new Float32Array(images.length);
    for (let start = 0; start < labels.length; start += batch) {
      const part = labels.slice(start, start + batch);
      const n = part.length;
      workspace.floats.set(images.subarray(start * size, (start + n) * size), this.images);
      discriminator.forward(n, this.images);
      logits.set(discriminator.logits(part, n), start);
      discriminator.backward(part, new Float32Array(n).fill(1), null, 0, { parameters: false, images: true });
      gradient.set(workspace.view(discriminator.dImages, n * size), start * size);
    }
    return { logits, gradient };
  }
}
