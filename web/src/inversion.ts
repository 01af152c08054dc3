/** Finds the latent from which the generator draws given drawings: Adam on the latent, from 0, with frozen weights. */

import { type Generator as Drawer, repeated } from "./generator";
import { inkedBox } from "./ink";
import type { Workspace } from "./workspace";

const FIRST_RATE = 0.1;
const BETAS = [0.9, 0.99] as const;
/** The weight of the latent's squared length in the objective. */
const PRIOR = 1e-3;
const NOISE = 64; // squared errors are divided by it

/** A digit that somebody drew: pixels in [0, 1], like those of the generator's images, and its label. */
export interface Drawn {
  readonly pixels: Float32Array;
  readonly label: number;
}

export interface Inverted {
  readonly latent: Float32Array;
  readonly error: number; // mean squared, of pixels in [0, 1]
  readonly step: number;
}

/**
 * Find one latent for all drawings, one step for each iteration. After each step, the first of the generator's images
 * is the one for the first drawing.
 *
 * @param dImages a place for the gradients of a batch of the generator's images.
 * @param drawings any number; if they exceed the generator's batch, they are drawn in several batches.
 * @param steps the number of steps, over which the step size falls to 0.
 */
export function* invert(
  ws: Workspace,
  generator: Drawer,
  dImages: number,
  drawings: readonly Drawn[],
  steps = 100,
): Generator<Inverted, void, void> {
  const { latent: size } = generator.description;
  const pixels = generator.imageNumbers;
  const latent = new Float32Array(size);
  const [means, squares] = [new Float64Array(size), new Float64Array(size)];
  const batches = inBatches(drawings, generator.batch).reverse(); // the batch of the first drawing comes last
  for (let step = 1; step <= steps; step++) {
    const gradient = Float64Array.from(latent, (one) => PRIOR * one);
    let total = 0;
    for (const batch of batches) {
      generator.forward(
        repeated(latent, batch.length),
        batch.map((one) => one.label),
      );
      total += errorGradient(ws, generator, batch, dImages);
      generator.backward(batch.length, dImages).forEach((one, i) => {
        gradient[i % size] += one / drawings.length;
      });
    }
    const error = total / (drawings.length * pixels);
    const rate = FIRST_RATE * 0.5 * (1 + Math.cos((Math.PI * (step - 1)) / steps));
    for (let k = 0; k < size; k++) {
      means[k] = BETAS[0] * means[k] + (1 - BETAS[0]) * gradient[k];
      squares[k] = BETAS[1] * squares[k] + (1 - BETAS[1]) * gradient[k] * gradient[k];
      const mean = means[k] / (1 - BETAS[0] ** step);
      latent[k] -= (rate * mean) / (Math.sqrt(squares[k] / (1 - BETAS[1] ** step)) + 1e-8);
    }
    yield { latent: latent.slice(), error, step };
  }
}

function inBatches<T>(all: readonly T[], largest: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / largest) }, (_, i) => all.slice(i * largest, (i + 1) * largest));
}

/** The sum of squared errors of the images that the generator drew last; their gradients go to `dImages`. */
function errorGradient(ws: Workspace, generator: Drawer, drawings: readonly Drawn[], dImages: number): number {
  const f = ws.floats;
  const pixels = generator.imageNumbers;
  let total = 0;
  drawings.forEach((drawing, i) => {
    for (let k = 0; k < pixels; k++) {
      const difference = f[generator.images + i * pixels + k] - drawing.pixels[k];
      total += difference * difference;
      f[dImages + i * pixels + k] = difference / NOISE;
    }
  });
  return total;
}

/** Whether a latent is unlike those that the generator learned from, whose lengths are near the root of their size. */
export function isUnlike(latent: Float32Array): boolean {
  return lengthOf(latent) > 1.25 * Math.sqrt(latent.length);
}

/** The length of a latent. */
export function lengthOf(latent: Float32Array): number {
  return Math.sqrt(latent.reduce((sum, x) => sum + x * x, 0));
}

/**
 * Bring a drawing into the form of MNIST: 20 pixels on its longer side, its centre of mass in the middle of 28×28.
 *
 * @param ink [height, width], 0 paper to 1 ink, much larger than 28×28.
 * @returns 28×28, or null without ink.
 */
export function inFormOfMnist(ink: Float32Array, width: number, height: number): Float32Array | null {
  const box = inkedBox({ width, height, pixels: ink }, 0.1);
  if (!box) {
    return null;
  }
  const { top, bottom, left, right } = box;
  let [mass, xMean, yMean] = [0, 0, 0];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const value = ink[y * width + x];
      mass += value;
      xMean += value * (x + 0.5);
      yMean += value * (y + 0.5);
    }
  }
  const scale = Math.max(bottom - top, right - left) / 20;
  return resampled(ink, width, height, xMean / mass, yMean / mass, scale);
}

/** Sample 28×28 pixels around a centre. A pixel is the mean over a square with sides of `scale` source pixels. */
function resampled(
  ink: Float32Array,
  width: number,
  height: number,
  xCentre: number,
  yCentre: number,
  scale: number,
): Float32Array {
  const fine = 8;
  const result = new Float32Array(28 * 28);
  for (let place = 0; place < result.length; place++) {
    let sum = 0;
    for (let k = 0; k < fine * fine; k++) {
      const x = Math.floor(xCentre + ((place % 28) - 14 + ((k % fine) + 0.5) / fine) * scale);
      const y = Math.floor(yCentre + (Math.floor(place / 28) - 14 + (Math.floor(k / fine) + 0.5) / fine) * scale);
      sum += x >= 0 && x < width && y >= 0 && y < height ? ink[y * width + x] : 0;
    }
    result[place] = sum / (fine * fine);
  }
  return result;
}
