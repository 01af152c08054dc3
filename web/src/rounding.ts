/** Rounding as NumPy and Python do it. */

/** The nearest integer, halves to the even one. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) {
    return Math.round(x);
  }
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Round images in [0, 1] to 0..255. */
export function toUint8(images: Float32Array): Uint8Array {
  const result = new Uint8Array(images.length);
  for (let i = 0; i < images.length; i++) {
    result[i] = roundHalfEven(Math.fround(Math.min(1, Math.max(0, images[i])) * 255));
  }
  return result;
}
