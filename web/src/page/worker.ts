/** The worker beside the page. One instance draws, reads and inverts with a model; another one trains. */

import { Classifier } from "../classifier";
import type { Description } from "../description";
import { diagnose, spreadOf, type Verdict } from "../doctor";
import { drawAll, Generator } from "../generator";
import { type Drawn, invert } from "../inversion";
import { latents, Stream } from "../philox";
import { toUint8 } from "../rounding";
import { readSafetensors } from "../safetensors";
import { type Data, type Figures, type Settings, Trainer } from "../trainer";
import { type Kernel, Workspace } from "../workspace";
import { handOf, type Pen, type Writing, type WritingOptions, write } from "../writing";
import { answer } from "./calls";

const BATCH = 20;
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
  readonly data: Data;
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
  readonly perSecond: number;
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
    const generator = new Generator(ws, description, BATCH, false);
    generator.parameters.read(readSafetensors(weights));
    const { image, latent } = description;
    const draw = (drawn: Float32Array, labels: readonly number[]) => toUint8(drawAll(ws, generator, drawn, labels));
    const pen = { latent, height: image.height, width: image.width, draw };
    loaded = { ws, generator, pen, classifier: classifier && new Classifier(ws, image, readSafetensors(classifier)) };
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
    const { ws, generator } = model();
    let now: Inversion | null = null;
    for (const { latent, error, step } of invert(ws, generator, drawings, steps)) {
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

let trainer: Trainer | null = null;
let reader: Classifier | null = null;
let running = 0; // counts the calls of `start`, `step`, `run` and `pause`; each of them ends the run before it
let started: StartRequest | null = null;
let drawn: Float32Array = new Float32Array(0);
let realSpread = 1;
let shownAt = 0;
let showingTook = 0; // milliseconds; a slow machine shows its progress less often, to have time for learning
let finite = true;
let margin = 0;

const shownLabels = Array.from({ length: SHOWN }, (_, i) => i % 10);

function current(): Trainer {
  if (!trainer) {
    throw new Error("training was not started");
  }
  return trainer;
}

/** Trains, from nothing. */
const training = {
  start(request: StartRequest): void {
    running++;
    const { data, seed, batch, steps, settings } = request;
    trainer = new Trainer({ data, seed: BigInt(seed), batch, steps, settings });
    started = request;
    reader = request.classifier && new Classifier(trainer.workspace, data.image, readSafetensors(request.classifier));
    drawn = latents(BigInt(seed), Stream.FIXED_LATENTS, 0, SHOWN, 64);
    [shownAt, showingTook, finite, margin] = [0, 0, true, 0];
    const size = trainer.generator.imageNumbers;
    const count = Math.min(200, data.pixels.length / size);
    const real = Float32Array.from(data.pixels.subarray(0, count * size), (x) => x / 255);
    realSpread = data.labels ? spreadOf(real, Array.from(data.labels).slice(0, count)) : 1;
  },

  change(settings: Partial<Settings>): void {
    current().settings = { ...current().settings, ...settings };
  },

  step(): Progress {
    running++;
    return advance(true);
  },

  /** Train until paused, or at most for `steps` steps if that is a number; wait `between` milliseconds after each. */
  async run(
    { steps, between }: { steps: number | null; between: number },
    news: (value: Progress) => void,
  ): Promise<void> {
    const mine = ++running;
    for (let done = 0; running === mine && finite && (steps === null || done < steps); done++) {
      news(advance(between > 0));
      await sleep(between);
    }
  },

  pause(): void {
    running++;
  },

  shown(): Shown {
    return show(current());
  },

  draw(request: DrawRequest): Uint8Array {
    return toUint8(current().draw(request.latents, request.labels));
  },

  /** The discriminator's judgement of images [n, H, W, C] in [0, 1]. */
  critique({ images, labels }: { images: Float32Array; labels: readonly number[] }): Critique {
    const { logits, gradient } = current().critique(images, labels);
    const { pixels, labels: realLabels } = current().data;
    const size = images.length / labels.length;
    const real = Float32Array.from(pixels.subarray(0, 100 * size), (x) => x / 255);
    const known = current().critique(real, Array.from(realLabels ?? []).slice(0, real.length / size)).logits;
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    return { margins: logits.map((one) => one - mean), wishes: gradient };
  },
};

let times: number[] = [];

function advance(always: boolean): Progress {
  const one = current();
  const figures = one.next();
  finite = finite && figures.finite;
  const apart =
    figures.logitsReal.reduce((sum, x, i) => sum + x - figures.logitsFake[i], 0) / figures.logitsReal.length;
  margin = 0.9 * margin + 0.1 * apart;
  const now = performance.now();
  times = [...times.slice(-20), now];
  const perSecond = times.length > 1 ? (1000 * (times.length - 1)) / (now - times[0]) : 0;
  const due = always || now - shownAt > Math.max(700, 10 * showingTook) || !finite;
  const shown = due ? show(one) : null;
  if (due) {
    shownAt = performance.now();
    showingTook = shownAt - now;
  }
  return { figures, steps: one.step, perSecond, bytes: one.workspace.floats.byteLength, shown };
}

function show(one: Trainer): Shown {
  const images = one.draw(drawn, shownLabels);
  const first = 10 * one.generator.imageNumbers;
  const { gradient } = one.critique(images.slice(0, first), shownLabels.slice(0, 10));
  const right = Array.from({ length: 10 }, () => 0);
  (reader?.probabilities(images) ?? []).forEach((probabilities, i) => {
    if (probabilities.indexOf(Math.max(...probabilities)) === shownLabels[i]) {
      right[shownLabels[i]] += 10 / SHOWN;
    }
  });
  const agreement = right.reduce((a, b) => a + b, 0) / 10;
  const spread = spreadOf(images, shownLabels) / realSpread;
  const verdict = diagnose({ step: one.step, finite, margin, spread, agreement: started?.classifier ? agreement : 1 });
  return { images: toUint8(images), wishes: gradient, agreement: right, verdict };
}

export const functions = {
  ...drawing,
  ...Object.fromEntries(Object.entries(training).map(([k, v]) => [`train.${k}`, v])),
};

answer(functions);
