/**
 * C[M, N] (+)= A[M, K] · B[K, N] in float32, for AssemblyScript; `../workspace.ts` explains the arguments.
 *
 * B is packed into panels of 8 columns, a block of it at a time, so that the innermost loop reads it in order; A is read
 * through two strides, so that a transposed A needs no copy. The tile of 4 × 8 sums lies in registers.
 */

const DEPTH: i32 = 256; // rows of B in a block
const BREADTH: i32 = 512; // columns of B in a block

/** The number of bytes of scratch memory that the caller must lend. */
export function scratchBytes(): i32 {
  return (DEPTH * BREADTH + 32) << 2;
}

// @ts-ignore: decorator
@inline
function multiplyAdd(x: v128, y: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(x, y, sum) : f32x4.add(sum, f32x4.mul(x, y));
}

function pack(b: usize, rowStride: usize, columnStride: usize, depth: i32, breadth: i32, out: usize): void {
  for (let j = 0; j < breadth; j += 8) {
    const columns = min(8, breadth - j);
    const from = b + <usize>j * columnStride;
    if (columnStride == 4 && columns == 8) {
      let row = from;
      for (let k = 0; k < depth; k++) {
        v128.store(out, v128.load(row));
        v128.store(out, v128.load(row, 16), 16);
        row += rowStride;
        out += 32;
      }
    } else {
      for (let column = 0; column < 8; column++) {
        let to = out + (column << 2);
        if (column < columns) {
          let element = from + <usize>column * columnStride;
          for (let k = 0; k < depth; k++) {
            f32.store(to, f32.load(element));
            element += rowStride;
            to += 32;
          }
        } else {
          for (let k = 0; k < depth; k++) {
            f32.store(to, 0);
            to += 32;
          }
        }
      }
      out += <usize>depth << 5;
    }
  }
}

/** Compute a tile of 4 × 8 sums, and store its first `rows` rows and `columns` columns. */
// @ts-ignore: decorator
@inline
function tile(
  a: usize, rowStride: usize, step: usize, panel: usize, depth: i32,
  c: usize, cStride: usize, rows: i32, columns: i32, add: bool, spare: usize,
): void {
  let a0 = a;
  let a1 = rows > 1 ? a + rowStride : a;
  let a2 = rows > 2 ? a1 + rowStride : a;
  let a3 = rows > 3 ? a2 + rowStride : a;
  const c1 = c + cStride;
  const c2 = c1 + cStride;
  const c3 = c2 + cStride;
  let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
  if (add) {
    s00 = v128.load(c); s01 = v128.load(c, 16);
    if (rows > 1) { s10 = v128.load(c1); s11 = v128.load(c1, 16); }
    if (rows > 2) { s20 = v128.load(c2); s21 = v128.load(c2, 16); }
    if (rows > 3) { s30 = v128.load(c3); s31 = v128.load(c3, 16); }
  }
  for (let k = 0; k < depth; k++) {
    const b0 = v128.load(panel);
    const b1 = v128.load(panel, 16);
    panel += 32;
    let x = v128.load32_splat(a0);
    s00 = multiplyAdd(x, b0, s00);
    s01 = multiplyAdd(x, b1, s01);
    x = v128.load32_splat(a1);
    s10 = multiplyAdd(x, b0, s10);
    s11 = multiplyAdd(x, b1, s11);
    x = v128.load32_splat(a2);
    s20 = multiplyAdd(x, b0, s20);
    s21 = multiplyAdd(x, b1, s21);
    x = v128.load32_splat(a3);
    s30 = multiplyAdd(x, b0, s30);
    s31 = multiplyAdd(x, b1, s31);
    a0 += step;
    a1 += step;
    a2 += step;
    a3 += step;
  }
  if (columns == 8) {
    v128.store(c, s00); v128.store(c, s01, 16);
    if (rows > 1) { v128.store(c1, s10); v128.store(c1, s11, 16); }
    if (rows > 2) { v128.store(c2, s20); v128.store(c2, s21, 16); }
    if (rows > 3) { v128.store(c3, s30); v128.store(c3, s31, 16); }
    return;
  }
  v128.store(spare, s00); v128.store(spare, s01, 16);
  v128.store(spare, s10, 32); v128.store(spare, s11, 48);
  v128.store(spare, s20, 64); v128.store(spare, s21, 80);
  v128.store(spare, s30, 96); v128.store(spare, s31, 112);
  for (let row = 0; row < rows; row++) {
    memory.copy(c + <usize>row * cStride, spare + (row << 5), columns << 2);
  }
}

export function gemm(
  m: i32, n: i32, k: i32,
  a: usize, aRow: i32, aColumn: i32,
  b: usize, bRow: i32, bColumn: i32,
  c: usize, add: bool, scratch: usize,
): void {
  const aRowStride = <usize>aRow << 2;
  const aStep = <usize>aColumn << 2;
  const bRowStride = <usize>bRow << 2;
  const bStep = <usize>bColumn << 2;
  const cStride = <usize>n << 2;
  const spare = scratch + (<usize>(DEPTH * BREADTH) << 2);
  for (let j = 0; j < n; j += BREADTH) {
    const breadth = min(BREADTH, n - j);
    for (let p = 0; p < k; p += DEPTH) {
      const depth = min(DEPTH, k - p);
      pack(b + <usize>p * bRowStride + <usize>j * bStep, bRowStride, bStep, depth, breadth, scratch);
      const adding = add || p > 0;
      const aBlock = a + <usize>p * aStep;
      for (let i = 0; i < m; i += 4) {
        const rows = min(4, m - i);
        const aTile = aBlock + <usize>i * aRowStride;
        const cTile = c + <usize>i * cStride + (<usize>j << 2);
        for (let column = 0; column < breadth; column += 8) {
          const panel = scratch + (<usize>column * <usize>depth << 2);
          const columns = min(8, breadth - column);
          const to = cTile + (<usize>column << 2);
          tile(aTile, aRowStride, aStep, panel, depth, to, cStride, rows, columns, adding, spare);
        }
      }
    }
  }
}

/** Add a row of numbers to each row of x [rows, columns]. */
export function addToRows(x: usize, rows: i32, columns: i32, row: usize): void {
  const whole = columns & ~3;
  for (let i = 0; i < rows; i++) {
    let j = 0;
    for (; j < whole; j += 4) {
      const at = x + (<usize>j << 2);
      v128.store(at, f32x4.add(v128.load(at), v128.load(row + (<usize>j << 2))));
    }
    for (; j < columns; j++) {
      const at = x + (<usize>j << 2);
      f32.store(at, f32.load(at) + f32.load(row + (<usize>j << 2)));
    }
    x += <usize>columns << 2;
  }
}

/** Multiply by `slope` each of `count` numbers in `x` whose counterpart in `sign` is not above 0. */
export function leaky(x: usize, sign: usize, count: i32, slope: f32): void {
  const slopes = f32x4.splat(slope);
  const ones = f32x4.splat(1);
  const zero = f32x4.splat(0);
  const end = x + (<usize>count << 2);
  for (; x + 12 < end; x += 16) {
    const factor = v128.bitselect(ones, slopes, f32x4.gt(v128.load(sign), zero));
    v128.store(x, f32x4.mul(v128.load(x), factor));
    sign += 16;
  }
  for (; x < end; x += 4) {
    if (!(f32.load(sign) > 0)) {
      f32.store(x, f32.load(x) * slope);
    }
    sign += 4;
  }
}

/** Add `count` numbers at `from` to those at `to`. */
// @ts-ignore: decorator
@inline
function accumulate(to: usize, from: usize, count: i32): void {
  const end = to + (<usize>count << 2);
  for (; to + 12 < end; to += 16) {
    v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
    from += 16;
  }
  for (; to < end; to += 4) {
    f32.store(to, f32.load(to) + f32.load(from));
    from += 4;
  }
}

/** The gradient of maps [n, h, w, c] from that of their 3×3 patches around every `stride`-th position. */
export function addPatches(n: i32, h: i32, w: i32, c: i32, stride: i32, patches: usize, maps: usize): void {
  memory.fill(maps, 0, <usize>(n * h * w * c) << 2);
  let from = patches;
  for (let image = 0; image < n; image++) {
    for (let y = 0; y < h; y += stride) {
      for (let x = 0; x < w; x += stride) {
        const first = x == 0 ? c : 0;
        const end = x == w - 1 ? 2 * c : 3 * c;
        for (let i = -1; i <= 1; i++) {
          if (y + i >= 0 && y + i < h) {
            const to = maps + (<usize>(((image * h + y + i) * w + x - 1) * c + first) << 2);
            accumulate(to, from + (<usize>first << 2), end - first);
          }
          from += <usize>(3 * c) << 2;
        }
      }
    }
  }
}
