/** The worker beside the page. One instance draws, reads and inverts with a model; another one trains. */

import { Classifier } from "../classifier";
import type { Description } from "../description";
import { diagnose, spreadOf, type Verdict } from "../doctor";
import { drawAll, drawingBatch, Generator } from "../generator";
import { type Drawn, invert } from "../inversion";
import { latents, Stream } from "../philox";
import { toUint8 } from "../rounding";
import { readSafetensors } from "../safetensors";
import { type Figures, LATENT, type Labelled, type Settings, Trainer } from "../trainer";
import { type Kernel, Workspace } from "../workspace";
import { handOf, type Pen, type Writing, type WritingOptions, write } from "../writing";
import { answer } from "./calls";

const SHOWN = 40;

/** What a page holds: a model, and a classifier of digits if there is one. */
export interface Model {
  readonly description: Description;
  readonly weights: Uint8Array;
  readonly classifier: Uint8Array | null;
}

interface Loaded {
  readonly ws: Workspace;
  readonly generator: Generator;
  readonly dImages: number; // a place for the gradients of a batch of its images
  readonly classifier: Classifier | null;
  readonly pen: Pen;
}

let loaded: Loaded | null = null;

function model(): Loaded {
  if (!loaded) {
    throw new Error("no model is loaded");
  }
  return loaded;
}

/** A request for images: latents [n, D] and labels [n]. */
export interface DrawRequest {
  readonly latents: Float32Array;
  readonly labels: readonly number[];
}

export interface InvertRequest {
  readonly drawings: readonly Drawn[];
  readonly steps: number;
}

/** The state of an inversion; the image is uint8. */
export interface Inversion {
  readonly latent: Float32Array;
  readonly error: number;
  readonly step: number;
  readonly image: Uint8Array;
}

export interface StartRequest {
  readonly data: Labelled;
  readonly classifier: Uint8Array | null;
  readonly seed: string;
  readonly batch: number;
  readonly steps: number;
  readonly settings: Partial<Settings>;
}

/** What the page shows of a step. */
export interface Progress {
  readonly figures: Figures;
  readonly steps: number; // done so far
  readonly perSecond: number; // 0 for a single step
  readonly bytes: number; // of memory
  readonly shown: Shown | null; // null in most steps
}

export interface Shown {
  readonly images: Uint8Array; // of forty latents, the digits in turn
  readonly wishes: Float32Array; // the gradient of the logits with respect to the pixels of the first ten
  readonly agreement: readonly number[]; // for each digit, the share of its drawings that are read as it
  readonly verdict: Verdict;
}

/** A discriminator's judgement of images: how much more real than real digits they look, and what should change. */
export interface Critique {
  readonly margins: Float32Array;
  readonly wishes: Float32Array;
}

/** Draws with the model of this page. */
const drawing = {
  load({ description, weights, classifier }: Model): Kernel {
    const ws = new Workspace();
    const generator = new Generator(ws, description, drawingBatch(description.image), false);
    generator.parameters.read(readSafetensors(weights));
    const { image, latent } = description;
    const draw = (drawn: Float32Array, labels: readonly number[]) => toUint8(drawAll(ws, generator, drawn, labels));
    const pen = { latent, height: image.height, width: image.width, draw };
    const dImages = ws.allocate(generator.batch * generator.imageNumbers);
    const reader = classifier && new Classifier(ws, image, readSafetensors(classifier));
    loaded = { ws, generator, dImages, pen, classifier: reader };
    return ws.kernel;
  },

  draw(request: DrawRequest): Uint8Array {
    return model().pen.draw(request.latents, request.labels);
  },

  write({ text, options }: { text: string; options: WritingOptions }): Writing {
    return write(text, model().pen, options);
  },

  hand({ seed, writer }: { seed: string; writer: number }) {
    return handOf(BigInt(seed), writer, model().pen.latent);
  },

  read(images: Float32Array): Float64Array[] {
    return model().classifier?.probabilities(images) ?? [];
  },

  async invert({ drawings, steps }: InvertRequest, news: (value: Inversion) => void): Promise<Inversion> {
    const { ws, generator, dImages } = model();
    let now: Inversion | null = null;
    for (const { latent, error, step } of invert(ws, generator, dImages, drawings, steps)) {
      const image = toUint8(ws.view(generator.images, generator.imageNumbers));
      now = { latent, error, step, image };
      if (step % 5 === 0 && step < steps) {
        news(now);
        await sleep(); // so that other calls are answered meanwhile
      }
    }
    if (!now) {
      throw new Error("nothing was drawn");
    }
    return now;
  },
};

/** Wait, so that messages can arrive. */
function sleep(milliseconds = 0): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

const shownLabels = Array.from({ length: SHOWN }, (_, i) => i % 10);

/** A training, and what the page shows of it. */
class Session {
  readonly trainer: Trainer;
  private readonly reader: Classifier | null;
  private readonly shownLatents: Float32Array;
  private readonly realSpread: number;
  private readonly data: Labelled;
  private finite = true;
  private margin = 0;
  private shownAt = 0;
  private showingTook = 0; // milliseconds; a slow machine shows its progress less often, to have time for learning
  private times: number[] = []; // of the last steps without a pause

  constructor({ data, classifier, seed, batch, steps, settings }: StartRequest) {
    this.data = data;
    this.trainer = new Trainer({ data, seed: BigInt(seed), batch, steps, settings });
    this.reader = classifier && new Classifier(this.trainer.workspace, data.image, readSafetensors(classifier));
    this.shownLatents = latents(BigInt(seed), Stream.FIXED_LATENTS, 0, SHOWN, LATENT);
    const size = this.trainer.generator.imageNumbers;
    const count = Math.min(200, data.pixels.length / size);
    const real = Float32Array.from(data.pixels.subarray(0, count * size), (x) => x / 255);
    this.realSpread = spreadOf(real, Array.from(data.labels).slice(0, count));
  }

  /** Whether no step can follow: the run is complete, or a loss was not finite. */
  get ended(): boolean {
    return this.trainer.complete || !this.finite;
  }

  /** Do not count the time since the last step. */
  goOn(): void {
    this.times = [];
  }

  /** Do one step. It is shown if that is wished, or due. */
  step(wished: boolean): Progress {
    const { trainer } = this;
    const figures = trainer.next();
    this.finite &&= figures.finite;
    const apart =
      figures.logitsReal.reduce((sum, x, i) => sum + x - figures.logitsFake[i], 0) / figures.logitsReal.length;
    this.margin = 0.9 * this.margin + 0.1 * apart;
    const now = performance.now();
    this.times = [...this.times.slice(-20), now];
    const perSecond = this.times.length > 1 ? (1000 * (this.times.length - 1)) / (now - this.times[0]) : 0;
    const due = wished || now - this.shownAt > Math.max(700, 10 * this.showingTook) || this.ended;
    const shown = due ? this.shown() : null;
    if (due) {
      this.shownAt = performance.now();
      this.showingTook = this.shownAt - now;
    }
    return { figures, steps: trainer.step, perSecond, bytes: trainer.workspace.floats.byteLength, shown };
  }

  shown(): Shown {
    const { trainer, reader, finite, margin } = this;
    const images = trainer.draw(this.shownLatents, shownLabels);
    const first = 10 * trainer.generator.imageNumbers;
    const { gradient } = trainer.critique(images.slice(0, first), shownLabels.slice(0, 10));
    const right = Array.from({ length: 10 }, () => 0);
    (reader?.probabilities(images) ?? []).forEach((probabilities, i) => {
      if (probabilities.indexOf(Math.max(...probabilities)) === shownLabels[i]) {
        right[shownLabels[i]] += 10 / SHOWN;
      }
    });
    const agreement = reader ? right.reduce((a, b) => a + b, 0) / 10 : 1;
    const spread = spreadOf(images, shownLabels) / this.realSpread;
    const verdict = diagnose({ step: trainer.step, finite, margin, spread, agreement });
    return { images: toUint8(images), wishes: gradient, agreement: right, verdict };
  }

  /** The discriminator's judgement of images [n, H, W, C] in [0, 1]. */
  critique(images: Float32Array, labels: readonly number[]): Critique {
    const { logits, gradient } = this.trainer.critique(images, labels);
    const { pixels, labels: realLabels } = this.data;
    const size = images.length / labels.length;
    const real = Float32Array.from(pixels.subarray(0, 100 * size), (x) => x / 255);
    const known = this.trainer.critique(real, Array.from(realLabels).slice(0, real.length / size)).logits;
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    return { margins: logits.map((one) => one - mean), wishes: gradient };
  }
}

let started: Session | null = null;
let running = 0; // counts the calls of `start`, `step`, `run` and `pause`; each of them ends the run before it

function current(): Session {
  if (!started) {
    throw new Error("training was not started");
  }
  return started;
}

/** Trains, from scratch. */
const training = {
  start(request: StartRequest): void {
    running++;
    started = new Session(request);
  },

  change(settings: Partial<Settings>): void {
    const { trainer } = current();
    trainer.settings = { ...trainer.settings, ...settings };
  },

  step(): Progress {
    running++;
    const one = current();
    if (one.trainer.complete) {
      throw new Error("this run is complete");
    }
    one.goOn();
    return one.step(true);
  },

  /**
   * Train until paused or to the end of the run, but at most for `steps` steps if that is a number; wait `between`
   * milliseconds after each.
   */
  async run(
    { steps, between }: { steps: number | null; between: number },
    news: (value: Progress) => void,
  ): Promise<void> {
    const mine = ++running;
    const one = current();
    one.goOn();
    for (let done = 0; running === mine && !one.ended && (steps === null || done < steps); done++) {
      news(one.step(between > 0));
      await sleep(between);
    }
  },

  pause(): void {
    running++;
  },

  shown(): Shown {
    return current().shown();
  },

  draw(request: DrawRequest): Uint8Array {
    return toUint8(current().trainer.draw(request.latents, request.labels));
  },

  critique({ images, labels }: { images: Float32Array; labels: readonly number[] }): Critique {
    return current().critique(images, labels);
  },
};

answer({
  ...drawing,
  ...Object.fromEntries(Object.entries(training).map(([k, v]) => [`train.${k}`, v])),
});
