/** Memory for float32 arrays, and the kernel for them: WebAssembly if the browser has SIMD, otherwise JavaScript. */

import relaxed from "../build/kernel_relaxed.wasm";
import simd from "../build/kernel_simd.wasm";
import { makeKernels } from "./javascript";

/** A matrix in the workspace: where its first element lies, and how far apart rows and columns are, in elements. */
export interface Matrix {
  readonly at: number;
  readonly row: number;
  readonly column: number;
}

/** How products are computed. */
export type Kernel = "relaxed SIMD" | "SIMD" | "JavaScript";

/** A matrix stored row by row. */
export function rows(at: number, columns: number): Matrix {
  return { at, row: columns, column: 1 };
}

/** The transpose of a matrix that has this number of columns and is stored row by row. */
export function transposed(at: number, columns: number): Matrix {
  return { at, row: 1, column: columns };
}

/** The functions in which the networks spend their time. An array is given by the index of its first element. */
export interface Kernels {
  /** C[m, n] = A[m, k] · B[k, n], or C += A · B if `add`; C is stored row by row. */
  product(m: number, n: number, k: number, a: Matrix, b: Matrix, c: number, add: boolean): void;
  /** Add a row of numbers to each row of x [rows, columns]. */
  addToRows(x: number, rows: number, columns: number, row: number): void;
  /**
   * Multiply by `slope` each of `count` numbers in `x` whose counterpart in `sign` is not above 0: a leaky ReLU of `x`
   * with `x` as `sign`, and the way back through one, of the gradient in `x`, with its output as `sign`.
   */
  leaky(x: number, sign: number, count: number, slope: number): void;
  /** Sum 3×3 patches around every `stride`-th position into maps [n, h, w, c]. */
  addPatches(n: number, h: number, w: number, c: number, stride: number, patches: number, maps: number): void;
}

/** The same functions with addresses in bytes, as WebAssembly exports them. */
interface Exports {
  gemm(
    m: number,
    n: number,
    k: number,
    a: number,
    aRow: number,
    aColumn: number,
    b: number,
    bRow: number,
    bColumn: number,
    c: number,
    add: boolean,
    scratch: number,
  ): void;
  scratchBytes(): number;
  addToRows(x: number, rows: number, columns: number, row: number): void;
  leaky(x: number, sign: number, count: number, slope: number): void;
  addPatches(n: number, h: number, w: number, c: number, stride: number, patches: number, maps: number): void;
}

const PAGE_BYTES = 65_536;
const SPARE_BYTES = 64; // the kernel may read a little past the end of a matrix

/** Memory for arrays of float32, and the kernel that works on it. */
export class Workspace {
  readonly kernel: Kernel;
  readonly kernels: Kernels;
  /** All of the memory. Read this field again after every `allocate`: growing replaces the array. */
  floats: Float32Array = new Float32Array(0);
  /** The index of a number that is 1. */
  readonly one: number;
  private readonly memory: WebAssembly.Memory | null = null;
  private used = 0;

  constructor(kernel: Kernel = bestKernel()) {
    this.kernel = kernel;
    if (kernel === "JavaScript") {
      this.kernels = makeKernels(() => this.floats);
      this.one = this.allocateFrom([1]);
      return;
    }
    this.memory = new WebAssembly.Memory({ initial: 16, maximum: 16_384 });
    this.floats = new Float32Array(this.memory.buffer);
    const module = new WebAssembly.Module((kernel === "SIMD" ? simd : relaxed) as BufferSource);
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    const exports = instance.exports as unknown as Exports;
    this.kernels = inElements(exports, this.allocate(exports.scratchBytes() / 4) * 4);
    this.one = this.allocateFrom([1]);
  }

  /** Reserve space for `count` numbers, all 0. It is never freed. Without memory for them nothing is reserved. */
  allocate(count: number): number {
    const at = this.used;
    const used = at + Math.ceil(count / 4) * 4;
    const needed = used * 4 + SPARE_BYTES;
    if (needed > this.floats.byteLength) {
      try {
        this.grow(needed);
      } catch {
        throw new Error("this needs more than 1 GB of memory: give a smaller batch or smaller images");
      }
    }
    this.used = used;
    return at;
  }

  /** Reserve space for numbers, and store them there. */
  allocateFrom(values: ArrayLike<number>): number {
    const at = this.allocate(values.length);
    this.floats.set(values, at);
    return at;
  }

  /** A view of `count` numbers, valid until the next `allocate`. */
  view(at: number, count: number): Float32Array {
    return this.floats.subarray(at, at + count);
  }

  private grow(needed: number): void {
    if (this.memory) {
      this.memory.grow(Math.ceil((needed - this.floats.byteLength) / PAGE_BYTES));
      this.floats = new Float32Array(this.memory.buffer);
      return;
    }
    const larger = new Float32Array(Math.max(needed / 4, this.floats.length * 1.5));
    larger.set(this.floats);
    this.floats = larger;
  }
}

function inElements(exports: Exports, scratch: number): Kernels {
  return {
    product(m, n, k, a, b, c, add) {
      exports.gemm(m, n, k, a.at * 4, a.row, a.column, b.at * 4, b.row, b.column, c * 4, add, scratch);
    },
    addToRows: (x, rows, columns, row) => exports.addToRows(x * 4, rows, columns, row * 4),
    leaky: (x, sign, count, slope) => exports.leaky(x * 4, sign * 4, count, slope),
    addPatches: (n, h, w, c, stride, from, to) => exports.addPatches(n, h, w, c, stride, from * 4, to * 4),
  };
}

/** The fastest kernel that this browser supports. */
export function bestKernel(): Kernel {
  if (typeof WebAssembly !== "object") {
    return "JavaScript";
  }
  if (WebAssembly.validate(relaxed as BufferSource)) {
    return "relaxed SIMD";
  }
  return WebAssembly.validate(simd as BufferSource) ? "SIMD" : "JavaScript";
}
