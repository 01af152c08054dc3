/** `inkgan`, the scripting interface: what the page does, for tests and for pages that embed this one. */

import type { Description } from "../description";
import { GAMES } from "../games";
import type { Replay } from "../replay";
import { LATENT, type Labelled, type Settings } from "../trainer";
import type { Kernel } from "../workspace";
import { canWrite, type Hand, type Writing, type WritingOptions } from "../writing";
import { Caller } from "./calls";
import {
  type Check,
  callback,
  checkImages,
  checkLatents,
  checkOptions,
  digits,
  flag,
  number,
  numbersIn,
  oneOf,
  seed,
  string,
  whole,
} from "./checks";
import type { Critique, Inversion, Model, Progress, Shown } from "./worker";

export interface Contents extends Model {
  readonly name: string;
  readonly digits: Labelled | null;
  readonly replay: Replay | null;
}

export interface Which {
  readonly seed?: number | bigint | string;
  readonly writer?: number;
  readonly label?: number;
}

export interface TrainerRequest {
  readonly seed?: number | bigint | string;
  readonly batch?: number;
  readonly steps?: number; // of the whole run; the learning rates fade towards its end
  readonly settings?: Partial<Settings>;
  readonly data?: Labelled;
}

/** A picture: uint8 [height, width, channels]; with one channel 0 is paper and 255 is ink. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly pixels: Uint8Array;
}

const WRITING: Readonly<Record<keyof WritingOptions, Check>> = {
  seed,
  writer: seed,
  style: number(0, 1),
  slant: number(-45, 45),
  height: whole(24, 512),
  hand: () => undefined, // checked by the model
};
const SETTINGS: Readonly<Record<keyof Settings, Check>> = {
  game: oneOf(GAMES),
  generatorRate: number(0),
  discriminatorRate: number(0),
  penaltyWeight: number(0),
  penaltyEvery: whole(1),
  penaltyOn: oneOf(["both", "real"]),
  classWeight: number(0),
  average: number(0),
  fade: number(0, 1),
  frozenDiscriminator: flag,
  shuffledLabels: flag,
};
const TRAINING: Readonly<Record<keyof TrainerRequest, Check>> = {
  seed,
  batch: whole(1, 512),
  steps: whole(1),
  settings: (_, value) => checkOptions(value, SETTINGS),
  data: digits,
};

export class Inkgan {
  readonly description: Description;
  readonly name: string;
  readonly digits: Labelled | null;
  /** Resolves once the model is loaded, to the kernel in use. */
  readonly ready: Promise<Kernel>;
  private readonly classifier: Uint8Array | null;
  private readonly drawing: Caller;
  private training: Caller | null = null;
  private latest: TrainerHandle | null = null;

  constructor(
    private readonly workerSource: string,
    contents: Contents,
  ) {
    const { description, weights, classifier, name, digits } = contents;
    this.description = description;
    this.name = name;
    this.digits = digits;
    this.classifier = classifier;
    this.drawing = new Caller(workerSource);
    this.ready = this.drawing.call<Kernel>("load", { description, weights, classifier } satisfies Model);
  }

  /** Whether the model can write: its classes are the ten digits, and its images have one channel. */
  get canWrite(): boolean {
    return canWrite(this.description);
  }

  /** One image of a label, by one of a seed's writers. */
  async draw(which: Which = {}): Promise<Picture> {
    checkOptions(which, { seed, writer: seed, label: whole(0, Math.max(0, this.description.classes - 1)) });
    const { label = 0 } = which;
    const { latent } = await this.hand(which.seed ?? 0, which.writer ?? 0);
    return { ...this.description.image, pixels: await this.drawLatents(latent, [label]) };
  }

  /** Images uint8 [n, H, W, C] for latents [n, D] and labels [n]. */
  async drawLatents(latents: Float32Array, labels: readonly number[]): Promise<Uint8Array> {
    checkLatents(latents, labels, this.description.latent, this.description.classes);
    return this.drawing.call("draw", { latents, labels });
  }

  /** One of a seed's writers. */
  async hand(ofSeed: number | bigint | string, writer: number): Promise<Hand> {
    checkOptions({ seed: ofSeed, writer }, { seed, writer: seed });
    return this.drawing.call("hand", { seed: String(ofSeed), writer });
  }

  /** A text in handwriting: the same ink as from `inkgan write --legible 0` with these weights. */
  async write(text: string, options: WritingOptions = {}): Promise<Writing> {
    string("the text", text);
    if (!this.canWrite) {
      throw new Error("this model cannot write: it needs the classes 0 to 9 and one channel.");
    }
    checkOptions(options, WRITING);
    if (options.hand) {
      checkLatents(options.hand.latent, [0], this.description.latent, 1);
      number(0, 1)("the gap of the hand", options.hand.gap);
    }
    return this.drawing.call("write", { text, options });
  }

  /** Class probabilities of images [n, H, W, C] in [0, 1]; none without a classifier. */
  async read(images: Float32Array): Promise<Float64Array[]> {
    const { image } = this.description;
    checkImages(images, Array(Math.ceil((images?.length ?? 0) / numbersIn(image))).fill(0), image, 1);
    return this.drawing.call("read", images);
  }

  /**
   * Find the latent that draws what somebody drew.
   *
   * @param pixels one or more images [n, H, W] in [0, 1], 1 being ink, in the form of MNIST.
   * @param options each image's label, the number of steps, and a callback for every fifth step.
   */
  async invert(
    pixels: Float32Array,
    options: {
      readonly labels: ArrayLike<number>;
      readonly steps?: number;
      readonly news?: (progress: Inversion) => void;
    },
  ): Promise<Inversion> {
    const { labels, ...others } = options ?? { labels: [] }; // scripts may forget them
    checkOptions(others, { steps: whole(1), news: callback });
    checkImages(pixels, labels, this.description.image, this.description.classes);
    const size = numbersIn(this.description.image);
    const drawings = Array.from(labels, (label, i) => ({ label, pixels: pixels.slice(i * size, (i + 1) * size) }));
    return this.drawing.call("invert", { drawings, steps: options.steps ?? 100 }, options.news);
  }

  /** Start to train the recipe `fast` from scratch. This ends an earlier training. */
  async trainer(request: TrainerRequest = {}): Promise<TrainerHandle> {
    const data = request.data ?? this.digits;
    if (!data) {
      throw new Error("there are no digits to learn from");
    }
    checkOptions(request, TRAINING);
    this.training ??= new Caller(this.workerSource);
    const { seed: ofSeed = 0, batch = 32, steps = 2500, settings = {} } = request;
    const given = definedIn(settings);
    const start = { data, classifier: this.classifier, seed: String(ofSeed), batch, steps, settings: given };
    this.latest?.end();
    const handle = new TrainerHandle(this.training, steps, data);
    this.latest = handle;
    await this.training.call("train.start", start);
    return handle;
  }
}

/** Settings without those that are undefined: spread over others, they would replace them. */
function definedIn(settings: Partial<Settings>): Partial<Settings> {
  return Object.fromEntries(Object.entries(settings ?? {}).filter(([, value]) => value !== undefined));
}

/** A training in progress. */
export class TrainerHandle {
  /** The figures of the last step. */
  figures: Progress["figures"] | null = null;
  steps = 0;
  perSecond = 0;
  bytes = 0;
  /** Whether a later training has ended this one. */
  ended = false;

  constructor(
    private readonly worker: Caller,
    private readonly length: number,
    private readonly data: Labelled,
  ) {}

  /** Whether all steps of the run are done. */
  get complete(): boolean {
    return this.steps >= this.length;
  }

  /** Let every further call be refused: the worker trains another one. */
  end(): void {
    this.ended = true;
  }

  private async call<T>(method: string, argument: unknown, news?: (value: never) => void): Promise<T> {
    if (this.ended) {
      throw new Error("a later training has ended this one");
    }
    return this.worker.call(method, argument, news);
  }

  private note(progress: Progress): Progress {
    this.figures = progress.figures;
    this.steps = progress.steps;
    this.perSecond = progress.perSecond;
    this.bytes = progress.bytes;
    return progress;
  }

  /** Do one step, then pause. A run that is complete has no further step. */
  async step(): Promise<Progress> {
    return this.note(await this.call<Progress>("train.step", null));
  }

  /**
   * Run for `steps` steps, until paused or to the end, with `between` milliseconds after each. Resolves when it has
   * stopped.
   */
  async run(
    options: { readonly steps?: number; readonly between?: number; readonly news?: (progress: Progress) => void } = {},
  ): Promise<void> {
    checkOptions(options, { steps: whole(1), between: number(0), news: callback });
    const { steps = null, between = 0, news } = options;
    return this.call("train.run", { steps, between }, (progress: Progress) => {
      this.note(progress);
      news?.(progress);
    });
  }

  pause(): Promise<void> {
    return this.call("train.pause", null);
  }

  /** Change settings from the next step on. */
  async change(settings: Partial<Settings>): Promise<void> {
    checkOptions(settings, SETTINGS);
    return this.call("train.change", definedIn(settings));
  }

  shown(): Promise<Shown> {
    return this.call("train.shown", null);
  }

  /** Images uint8 [n, H, W, C] by the average of the generator. */
  async draw(latents: Float32Array, labels: readonly number[]): Promise<Uint8Array> {
    checkLatents(latents, labels, LATENT, this.data.classes);
    return this.call("train.draw", { latents, labels });
  }

  async critique(images: Float32Array, labels: readonly number[]): Promise<Critique> {
    checkImages(images, labels, this.data.image, this.data.classes);
    return this.call("train.critique", { images, labels });
  }
}
