/** The description of a compact network, as in `model.json`, and the grid from which its sizes follow. */

import type { MapSize } from "./convolution";

/** The size of a label's embedding. */
export const EMBEDDING = 64;
const COARSEST = 8;

export interface Description {
  readonly image: MapSize;
  readonly classes: number; // 0 without labels
  readonly names?: readonly string[]; // of the classes; the networks do not need them
  readonly latent: number;
  readonly channels: number; // of the coarsest map
  readonly slope: number; // of the leaky ReLUs for negative numbers
}

export interface Grid {
  readonly height: number;
  readonly width: number;
  readonly doublings: number;
}

/** The coarsest grid for images: doubled `doublings` times, it covers them. */
export function gridOf(image: MapSize): Grid {
  const longer = Math.max(image.height, image.width);
  const doublings = Math.max(1, Math.ceil(Math.log2(longer / COARSEST)));
  const cell = 2 ** doublings;
  return { height: Math.ceil(image.height / cell), width: Math.ceil(image.width / cell), doublings };
}

/** The channels of the finer maps: three eighths of the coarsest map's, rounded down to a multiple of 8, at least 8. */
export function fineChannels(channels: number): number {
  return Math.max(8, Math.floor((channels * 3) / 64) * 8);
}
