/** Reading safetensors: a table of contents in JSON, then the arrays as they lie in memory. */

import type { Tensors } from "./parameters";

interface About {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * The arrays of a file as float32, by name.
 *
 * F32 and I8 are read. An I8 array `x` with an F32 array `x.scale` stands for x · scale, row by row.
 */
export function readSafetensors(bytes: Uint8Array): Tensors {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<string, About>;
  const arrays = new Map<string, Float32Array>();
  for (const [name, about] of Object.entries(header)) {
    if (name !== "__metadata__") {
      const [start, end] = about.data_offsets;
      arrays.set(name, asFloats(about.dtype, bytes.slice(8 + length + start, 8 + length + end)));
    }
  }
  const result = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, data] of arrays) {
    const scale = arrays.get(`${name}.scale`);
    const size = scale ? data.length / scale.length : 0;
    const scaled = scale ? data.map((x, i) => x * scale[Math.floor(i / size)]) : data;
    if (!name.endsWith(".scale")) {
      result.set(name, { shape: header[name].shape, data: scaled });
    }
  }
  return result;
}

function asFloats(dtype: string, bytes: Uint8Array): Float32Array {
  switch (dtype) {
    case "F32":
      return new Float32Array(bytes.buffer);
    case "I8":
      return Float32Array.from(new Int8Array(bytes.buffer));
    default:
      throw new Error(`arrays of ${dtype} are not read here`);
  }
}
