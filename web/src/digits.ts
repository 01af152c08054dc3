/** Real digits: those in the page, and those of MNIST's own files. */

import { unpackFourBits } from "./replay";
import type { Data } from "./trainer";

const DIGIT = { height: 28, width: 28, channels: 1 };

/** Digits as the page holds them: labels [n], then pixels of four bits, two in a byte, the first in the upper half. */
export function unpackDigits(bytes: Uint8Array): Data {
  const count = bytes.length / (1 + 392);
  const pixels = unpackFourBits(bytes.subarray(count));
  return { image: DIGIT, pixels, labels: bytes.slice(0, count), classes: 10 };
}

/** Read the shape and the data of an IDX file. */
function readIdx(bytes: Uint8Array): { readonly shape: number[]; readonly data: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 8 || view.getUint16(0) !== 0 || bytes[2] !== 8) {
    throw new Error("not an IDX file of bytes");
  }
  const shape = Array.from({ length: bytes[3] }, (_, i) => view.getUint32(4 + 4 * i));
  const data = bytes.subarray(4 + 4 * shape.length);
  if (data.length !== shape.reduce((a, b) => a * b, 1)) {
    throw new Error("its length does not fit its header");
  }
  return { shape, data };
}

/** Read digits from two uncompressed MNIST files, one of images and one of labels, in either order. */
export function digitsOfFiles(files: readonly Uint8Array[]): Data {
  const read = files.map(readIdx);
  const images = read.find((file) => file.shape.length === 3);
  const labels = read.find((file) => file.shape.length === 1);
  if (!images || !labels || images.shape[0] !== labels.shape[0]) {
    throw new Error("one file of images and one of their labels are needed");
  }
  if (images.shape[1] !== 28 || images.shape[2] !== 28) {
    throw new Error(`the images are ${images.shape[1]}×${images.shape[2]} and not 28×28`);
  }
  const strange = labels.data.find((one) => one > 9);
  if (strange !== undefined) {
    throw new Error(`there is a label ${strange}; labels of digits are 0 to 9`);
  }
  return { image: DIGIT, pixels: images.data, labels: labels.data, classes: 10 };
}
