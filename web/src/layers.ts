/**
 * The building blocks of the networks: forward, and backward by hand. Maps are [N, H, W, C] in a workspace.
 *
 * A 3×3 convolution is one product: of its patches, [positions, 9·C], with its kernel, [9·C, O]. So convolutions and
 * linear functions share everything but the patches.
 */

import { rows, transposed, type Workspace } from "./workspace";

/** Y[n, o] = X[n, i] · W[i, o] + b. */
export function affine(
  ws: Workspace,
  n: number,
  inputs: number,
  outputs: number,
  x: number,
  weight: number,
  bias: number | null,
  y: number,
): void {
  ws.kernels.product(n, outputs, inputs, rows(x, inputs), rows(weight, outputs), y, false);
  if (bias !== null) {
    ws.kernels.addToRows(y, n, outputs, bias);
  }
}

/** From dY [n, o], compute the gradients of W and, if there is one, of b, and add them to `dWeight` and `dBias`. */
export function affineParameters(
  ws: Workspace,
  n: number,
  inputs: number,
  outputs: number,
  x: number,
  dy: number,
  dWeight: number,
  dBias: number | null,
): void {
  ws.kernels.product(inputs, outputs, n, transposed(x, inputs), rows(dy, outputs), dWeight, true);
  if (dBias !== null) {
    ws.kernels.product(1, outputs, n, { at: ws.one, row: 0, column: 0 }, rows(dy, outputs), dBias, true);
  }
}

/** The gradient of X: dX[n, i] = dY[n, o] · Wᵀ, or dX += dY · Wᵀ if `add`. */
export function affineInputs(
  ws: Workspace,
  n: number,
  inputs: number,
  outputs: number,
  dy: number,
  weight: number,
  dx: number,
  add = false,
): void {
  ws.kernels.product(n, inputs, outputs, rows(dy, outputs), transposed(weight, outputs), dx, add);
}

/** The size of a map after a 3×3 convolution with one zero on each side. */
export function strided(size: number, stride: number): number {
  return Math.ceil(size / stride);
}

/** The 3×3 patches of maps [n, h, w, c] around every `stride`-th position: [n·h'·w', 9·c], zeros outside. */
export function patches(
  ws: Workspace,
  n: number,
  h: number,
  w: number,
  c: number,
  stride: number,
  x: number,
  out: number,
): void {
  const f = ws.floats;
  let to = out;
  for (let image = 0; image < n; image++) {
    for (let y = 0; y < h; y += stride) {
      for (let column = 0; column < w; column += stride) {
        const first = column === 0 ? 1 : 0;
        const end = column === w - 1 ? 2 : 3;
        for (let i = -1; i <= 1; i++) {
          if (y + i < 0 || y + i >= h) {
            f.fill(0, to, to + 3 * c);
          } else {
            const from = x + ((image * h + y + i) * w + column - 1) * c;
            if (first) {
              f.fill(0, to, to + c);
            }
            f.copyWithin(to + first * c, from + first * c, from + end * c);
            if (end === 2) {
              f.fill(0, to + 2 * c, to + 3 * c);
            }
          }
          to += 3 * c;
        }
      }
    }
  }
}

/** Move the channels of maps [n, h, w, 4c] into 2×2 blocks: [n, 2h, 2w, c]. */
export function channelsToBlocks(
  ws: Workspace,
  n: number,
  h: number,
  w: number,
  c: number,
  x: number,
  out: number,
): void {
  forBlocks(n, h, w, c, (grouped, spread) => ws.floats.copyWithin(out + spread, x + grouped, x + grouped + 2 * c));
}

/** Move 2×2 blocks of maps [n, 2h, 2w, c] into channels: [n, h, w, 4c]. The gradient of {@link channelsToBlocks}. */
export function blocksToChannels(
  ws: Workspace,
  n: number,
  h: number,
  w: number,
  c: number,
  x: number,
  out: number,
): void {
  forBlocks(n, h, w, c, (grouped, spread) => ws.floats.copyWithin(out + grouped, x + spread, x + spread + 2 * c));
}

/** Visit each stretch of 2c numbers: its place in maps [n, h, w, 4c], and its place in [n, 2h, 2w, c]. */
function forBlocks(n: number, h: number, w: number, c: number, move: (grouped: number, spread: number) => void): void {
  let grouped = 0;
  for (let row = 0; row < n * h; row++) {
    for (let column = 0; column < w; column++) {
      const spread = (row * 2 * 2 * w + 2 * column) * c;
      move(grouped, spread);
      move(grouped + 2 * c, spread + 2 * w * c);
      grouped += 4 * c;
    }
  }
}

/** y = x · (1 + scale), with scale [n, c] the same for all `positions` of maps [n, positions, c]. */
export function scaleChannels(
  ws: Workspace,
  n: number,
  positions: number,
  c: number,
  x: number,
  scale: number,
  y: number,
): void {
  const f = ws.floats;
  let i = 0;
  for (let image = 0; image < n; image++) {
    const s = scale + image * c;
    for (let position = 0; position < positions; position++) {
      for (let k = 0; k < c; k++) {
        f[y + i] = f[x + i] * (1 + f[s + k]);
        i++;
      }
    }
  }
}

/** The gradients of {@link scaleChannels}: dX in place of dY, and dScale [n, c]. */
export function scaleChannelsBackward(
  ws: Workspace,
  n: number,
  positions: number,
  c: number,
  x: number,
  scale: number,
  dy: number,
  dScale: number,
): void {
  const f = ws.floats;
  f.fill(0, dScale, dScale + n * c);
  let i = 0;
  for (let image = 0; image < n; image++) {
    const s = scale + image * c;
    const ds = dScale + image * c;
    for (let position = 0; position < positions; position++) {
      for (let k = 0; k < c; k++) {
        const gradient = f[dy + i];
        f[ds + k] += gradient * f[x + i];
        f[dy + i] = gradient * (1 + f[s + k]);
        i++;
      }
    }
  }
}

/** 1 / (1 + exp(-x)), without overflow. */
export function sigmoid(x: number): number {
  return 0.5 + 0.5 * Math.tanh(0.5 * x);
}

/** log(1 + exp(x)), without overflow. */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** The mean cross-entropy of scores [n, k] against labels [n]; its gradient times `weight` goes to `gradient`. */
export function crossEntropy(
  scores: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
  weight: number,
  gradient: Float32Array,
): number {
  const n = labels.length;
  let total = 0;
  for (let i = 0; i < n; i++) {
    const row = scores.subarray(i * classes, (i + 1) * classes);
    const p = softmax(row);
    total -= Math.log(Math.max(p[labels[i]], 1e-300));
    for (let k = 0; k < classes; k++) {
      gradient[i * classes + k] = (weight * (p[k] - (k === labels[i] ? 1 : 0))) / n;
    }
  }
  return total / n;
}

/** Probabilities from scores. */
export function softmax(scores: ArrayLike<number>): Float64Array {
  const largest = Math.max(...Array.from(scores));
  const p = Float64Array.from(scores, (score) => Math.exp(score - largest));
  const sum = p.reduce((a, b) => a + b, 0);
  return p.map((x) => x / sum);
}
