/** Real digits: those in the page, and those of MNIST's own files. */

import { unpackFourBits } from "./replay";
import type { Labelled } from "./trainer";

/** Why files are not MNIST's: their fault, and the figures that tell it. `texts.ts` has the sentences. */
export class DigitsError extends Error {
  constructor(
    readonly fault: "unzip" | "format" | "length" | "pair" | "none" | "size" | "label",
    readonly values: Readonly<Record<string, number>> = {},
  ) {
    super(fault);
  }
}

export const DIGIT = { height: 28, width: 28, channels: 1 };

/** Digits as the page holds them: labels [n], then pixels of four bits, two in a byte, the first in the upper half. */
export function unpackDigits(bytes: Uint8Array): Labelled {
  const count = bytes.length / (1 + 392);
  const pixels = unpackFourBits(bytes.subarray(count));
  return { image: DIGIT, pixels, labels: bytes.slice(0, count), classes: 10 };
}

/** Read the shape and the data of an IDX file. */
function readIdx(bytes: Uint8Array): { readonly shape: number[]; readonly data: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 8 || view.getUint16(0) !== 0 || bytes[2] !== 8) {
    throw new DigitsError("format");
  }
  const header = 4 + 4 * bytes[3];
  if (bytes.length < header) {
    throw new DigitsError("length");
  }
  const shape = Array.from({ length: bytes[3] }, (_, i) => view.getUint32(4 + 4 * i));
  const data = bytes.subarray(header);
  if (data.length !== shape.reduce((a, b) => a * b, 1)) {
    throw new DigitsError("length");
  }
  return { shape, data };
}

/** Read digits from two uncompressed MNIST files, one of images and one of labels, in either order. */
export function digitsOfFiles(files: readonly Uint8Array[]): Labelled {
  const read = files.map(readIdx);
  const images = read.find((file) => file.shape.length === 3);
  const labels = read.find((file) => file.shape.length === 1);
  if (read.length !== 2 || !images || !labels || images.shape[0] !== labels.shape[0]) {
    throw new DigitsError("pair");
  }
  const [count, height, width] = images.shape;
  if (!count) {
    throw new DigitsError("none");
  }
  if (height !== 28 || width !== 28) {
    throw new DigitsError("size", { height, width });
  }
  const strange = labels.data.find((one) => one > 9);
  if (strange !== undefined) {
    throw new DigitsError("label", { label: strange });
  }
  return { image: DIGIT, pixels: images.data, labels: labels.data, classes: 10 };
}
