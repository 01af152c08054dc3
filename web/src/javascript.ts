/** The kernel in plain JavaScript, for browsers without SIMD: the same functions, many times slower. */

import type { Kernels } from "./workspace";

export function makeKernels(memory: () => Float32Array): Kernels {
  return {
    product(m, n, k, a, b, c, add) {
      const f = memory();
      const packed = new Float32Array(k * n); // B by rows
      for (let p = 0; p < k; p++) {
        for (let j = 0; j < n; j++) {
          packed[p * n + j] = f[b.at + p * b.row + j * b.column];
        }
      }
      const sums = new Float32Array(n);
      for (let i = 0; i < m; i++) {
        sums.fill(0);
        for (let p = 0; p < k; p++) {
          const factor = f[a.at + i * a.row + p * a.column];
          const row = p * n;
          for (let j = 0; j < n; j++) {
            sums[j] += factor * packed[row + j];
          }
        }
        const to = c + i * n;
        for (let j = 0; j < n; j++) {
          f[to + j] = add ? f[to + j] + sums[j] : sums[j];
        }
      }
    },
    addToRows(x, rows, columns, row) {
      const f = memory();
      for (let i = 0; i < rows * columns; i++) {
        f[x + i] += f[row + (i % columns)];
      }
    },
    leaky(x, sign, count, slope) {
      const f = memory();
      for (let i = 0; i < count; i++) {
        if (!(f[sign + i] > 0)) {
          f[x + i] *= slope;
        }
      }
    },
    addPatches(n, h, w, c, stride, patches, maps) {
      const f = memory();
      f.fill(0, maps, maps + n * h * w * c);
      let from = patches;
      for (let image = 0; image < n; image++) {
        for (let y = 0; y < h; y += stride) {
          for (let x = 0; x < w; x += stride) {
            const first = x === 0 ? c : 0;
            const end = x === w - 1 ? 2 * c : 3 * c;
            for (let i = -1; i <= 1; i++) {
              if (y + i >= 0 && y + i < h) {
                const to = maps + ((image * h + y + i) * w + x - 1) * c;
                for (let place = first; place < end; place++) {
                  f[to + place] += f[from + place];
                }
              }
              from += 3 * c;
            }
          }
        }
      }
    },
  };
}
