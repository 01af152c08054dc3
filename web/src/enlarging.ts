/** Enlarging and smoothing a grey picture by one matrix, as `inkgan.generation.ink.enlarged` does it, to the last bit. */

import type { Picture } from "./pillow";
import { roundHalfEven } from "./rounding";

const REACH = 4; // pixels that are added on each side
const UNITS = 2 ** 11; // weights are whole multiples of 1 / UNITS
const BETWEEN = 2 ** 4; // values between the two passes are whole multiples of 1 / BETWEEN

/** The cubic of Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2. */
function cubic(distance: number): number {
  const d = Math.abs(distance);
  if (d < 1) {
    return (1.5 * d - 2.5) * d ** 2 + 1;
  }
  return d < 2 ? -0.5 * (((d - 5) * d + 8) * d - 4) : 0;
}

/** The weights [times · length][length] that enlarge and smooth a line of pixels; its end pixels repeat beyond it. */
function weightsFor(length: number, times: number, sigma: number): number[][] {
  const places = times * (length + 2 * REACH);
  return Array.from({ length: times * length }, (_, row) => {
    const place = row + times * REACH;
    const gaussian = Array.from({ length: places }, (__, i) => Math.exp(-0.5 * ((place - i) / (sigma * times)) ** 2));
    const sum = gaussian.reduce((a, b) => a + b, 0);
    const weights = new Array<number>(length).fill(0);
    for (let source = 0; source < length + 2 * REACH; source++) {
      const inside = Math.min(length - 1, Math.max(0, source - REACH));
      gaussian.forEach((share, i) => {
        weights[inside] += (share / sum) * cubic((i + 0.5) / times - 0.5 - source);
      });
    }
    return weights.map((weight) => roundHalfEven(weight * UNITS) / UNITS);
  });
}

const known = new Map<string, number[][]>();

function enlarging(length: number, times: number, sigma: number): number[][] {
  const key = `${length} ${times} ${sigma}`;
  const weights = known.get(key) ?? weightsFor(length, times, sigma);
  known.set(key, weights);
  return weights;
}

/** A picture `times` times as wide and high, smoothed by a Gaussian of standard deviation `sigma`, in source pixels. */
export function enlarged({ width, height, pixels }: Picture, times: number, sigma: number): Picture {
  const across = enlarging(width, times, sigma).map((weights) =>
    Array.from({ length: height }, (_, y) => {
      let sum = 0;
      for (let x = 0; x < width; x++) {
        sum += weights[x] * pixels[y * width + x];
      }
      return roundHalfEven(sum * BETWEEN) / BETWEEN;
    }),
  );
  const wide = width * times;
  const result = new Uint8Array(wide * height * times);
  enlarging(height, times, sigma).forEach((weights, row) => {
    across.forEach((column, x) => {
      const sum = weights.reduce((all, weight, y) => all + weight * column[y], 0);
      result[row * wide + x] = Math.min(255, Math.max(0, roundHalfEven(sum)));
    });
  });
  return { width: wide, height: height * times, pixels: result };
}
