/** Real digits: those in the page, and those of MNIST's own files. */

import { unpackFourBits } from "./replay";
import type { Labelled } from "./trainer";

export type Fault = "unzip" | "format" | "length" | "pair" | "none" | "size" | "label";

/** Why files are not MNIST's: which fault they have, and the figures that tell it, for pages in other languages. */
export class DigitsError extends Error {
  constructor(
    message: string,
    readonly fault: Fault,
    readonly values: Readonly<Record<string, number>> = {},
  ) {
    super(message);
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
    throw new DigitsError("not an IDX file of bytes", "format");
  }
  const wrongLength = new DigitsError("its length does not fit its header", "length");
  const header = 4 + 4 * bytes[3];
  if (bytes.length < header) {
    throw wrongLength;
  }
  const shape = Array.from({ length: bytes[3] }, (_, i) => view.getUint32(4 + 4 * i));
  const data = bytes.subarray(header);
  if (data.length !== shape.reduce((a, b) => a * b, 1)) {
    throw wrongLength;
  }
  return { shape, data };
}

/** Read digits from two uncompressed MNIST files, one of images and one of labels, in either order. */
export function digitsOfFiles(files: readonly Uint8Array[]): Labelled {
  const read = files.map(readIdx);
  const images = read.find((file) => file.shape.length === 3);
  const labels = read.find((file) => file.shape.length === 1);
  if (!images || !labels || images.shape[0] !== labels.shape[0]) {
    throw new DigitsError("one file of images and one of their labels are needed", "pair");
  }
  const [count, height, width] = images.shape;
  if (!count) {
    throw new DigitsError("there is no digit in these files", "none");
  }
  if (height !== 28 || width !== 28) {
    throw new DigitsError(`the images are ${height}×${width} and not 28×28`, "size", { height, width });
  }
  const strange = labels.data.find((one) => one > 9);
  if (strange !== undefined) {
    throw new DigitsError(`there is a label ${strange}; labels of digits are 0 to 9`, "label", { label: strange });
  }
  return { image: DIGIT, pixels: images.data, labels: labels.data, classes: 10 };
}
