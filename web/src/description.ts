/** What a compact network is, as `model.json` describes it, and the grid that its sizes follow from. */

import type { MapSize } from "./convolution";

/** How many numbers stand for a label. */
export const EMBEDDING = 64;
const COARSEST = 8;

export interface Description {
  readonly image: MapSize;
  readonly classes: number; // 0 without labels
  readonly names?: readonly string[]; // of the classes, where anybody sees them
  readonly latent: number;
  readonly channels: number; // of the coarsest map
  readonly slope: number; // of the leaky ReLUs for negative numbers
}

export interface Grid {
  readonly height: number;
  readonly width: number;
  readonly doublings: number;
}

/** The coarsest grid for images: `doublings` of it cover them. */
export function gridOf(image: MapSize): Grid {
  const longer = Math.max(image.height, image.width);
  const doublings = Math.max(1, Math.ceil(Math.log2(longer / COARSEST)));
  const cell = 2 ** doublings;
  return { height: Math.ceil(image.height / cell), width: Math.ceil(image.width / cell), doublings };
}

/** How many channels the finer maps have: three eighths of the coarsest, in multiples of 8. */
export function fineChannels(channels: number): number {
  return Math.max(8, Math.floor((channels * 3) / 64) * 8);
}
