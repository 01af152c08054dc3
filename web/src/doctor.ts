/** Diagnoses a training run from what can be observed of it. */

export interface Signs {
  readonly step: number;
  readonly finite: boolean;
  readonly margin: number; // the mean logit of real digits minus that of drawn ones
  readonly spread: number; // the mean squared distance between drawings of the same digit, relative to real digits
  readonly agreement: number; // the share of drawings that are read as the digit that was asked for
}

export type Verdict = "waiting" | "healthy" | "diverged" | "overpowered" | "collapsed" | "fooled" | "labels";

const GRACE = 60; // steps after which drawings can be told apart
const READABLE = 150; // steps after which they can be read

/** Return the first verdict that applies, the gravest first. */
export function diagnose({ step, finite, margin, spread, agreement }: Signs): Verdict {
  if (!finite) {
    return "diverged";
  }
  if (step < GRACE) {
    return "waiting";
  }
  if (margin < -1) {
    return "fooled";
  }
  if (spread < 0.25) {
    return "collapsed";
  }
  if (margin > 10) {
    return "overpowered";
  }
  return step >= READABLE && agreement < 0.4 ? "labels" : "healthy";
}

/** The mean squared difference of pixels between images [n, size] of one class, over all pairs; 0 without pairs. */
export function spreadOf(images: ArrayLike<number>, labels: ArrayLike<number>): number {
  const n = labels.length;
  const size = images.length / n;
  let [total, pairs] = [0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      if (labels[i] === labels[j]) {
        for (let k = 0; k < size; k++) {
          total += (images[i * size + k] - images[j * size + k]) ** 2;
        }
        pairs++;
      }
    }
  }
  return pairs ? total / (pairs * size) : 0;
}
