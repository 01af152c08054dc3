/** Recorded runs: the images of the same latents after various numbers of steps. */

export const RECORDED = ["tutorial", "fast"] as const;

export interface Recorded {
  readonly steps: readonly number[];
  /** uint8 [steps, images, 28, 28], 0 paper to 255 ink. */
  readonly pixels: Uint8Array;
}

export type Replay = Readonly<Record<(typeof RECORDED)[number], Recorded>>;

/** A line of JSON with the steps of each run, then their grids: four bits a pixel, the first in the upper half. */
export function unpackReplay(bytes: Uint8Array): Replay {
  const end = bytes.indexOf(10);
  const steps: Record<keyof Replay, number[]> = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  const pixels = unpackFourBits(bytes.subarray(end + 1));
  const split = (pixels.length * steps.tutorial.length) / (steps.tutorial.length + steps.fast.length);
  return {
    tutorial: { steps: steps.tutorial, pixels: pixels.subarray(0, split) },
    fast: { steps: steps.fast, pixels: pixels.subarray(split) },
  };
}

/** Pixels of sixteen grey levels, two in a byte. */
export function unpackFourBits(packed: Uint8Array): Uint8Array {
  const pixels = new Uint8Array(2 * packed.length);
  packed.forEach((byte, i) => {
    pixels[2 * i] = (byte >> 4) * 17;
    pixels[2 * i + 1] = (byte & 15) * 17;
  });
  return pixels;
}
