/**
 * Three operations on grey pictures as Pillow does them, to the last grey level: enlarging by a cubic, a Gaussian blur by
 * three boxes, and an affine transformation. Pictures are uint8, row by row.
 */

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

const COEFFICIENT_BITS = 22;

/** The cubic of Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2. */
function cubic(x: number): number {
  const d = Math.abs(x);
  if (d < 1) {
    return (1.5 * d - 2.5) * d * d + 1;
  }
  return d < 2 ? -0.5 * (((d - 5) * d + 8) * d - 4) : 0;
}

interface Taps {
  readonly first: number;
  readonly weights: readonly number[]; // times 2^22
}

/** Which source pixels, with what weights, make each pixel of a line that becomes `times` as long. */
function tapsFor(length: number, times: number): Taps[] {
  return Array.from({ length: length * times }, (_, place) => {
    const centre = (place + 0.5) / times;
    const first = Math.max(0, Math.floor(centre - 2 + 0.5));
    const end = Math.min(length, Math.floor(centre + 2 + 0.5));
    const weights = Array.from({ length: end - first }, (__, i) => cubic(first + i - centre + 0.5));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => Math.round((weight / sum) * 2 ** COEFFICIENT_BITS)) };
  });
}

function clip(x: number): number {
  return Math.min(255, Math.max(0, x));
}

function along(
  taps: readonly Taps[],
  lines: number,
  from: Uint8Array,
  fromStep: number,
  fromLine: number,
  to: Uint8Array,
  toStep: number,
  toLine: number,
): void {
  for (let line = 0; line < lines; line++) {
    taps.forEach(({ first, weights }, place) => {
      let sum = 2 ** (COEFFICIENT_BITS - 1);
      weights.forEach((weight, i) => {
        sum += weight * from[line * fromLine + (first + i) * fromStep];
      });
      to[line * toLine + place * toStep] = clip(Math.floor(sum / 2 ** COEFFICIENT_BITS));
    });
  }
}

/** `Image.resize` by a cubic to `times` the width and height. */
export function enlarge(picture: Picture, times: number): Picture {
  const { width, height, pixels } = picture;
  const wide = new Uint8Array(width * times * height);
  along(tapsFor(width, times), height, pixels, 1, width, wide, 1, width * times);
  const large = new Uint8Array(wide.length * times);
  along(tapsFor(height, times), width * times, wide, width * times, 1, large, width * times, 1);
  return { width: width * times, height: height * times, pixels: large };
}

/** `ImageFilter.GaussianBlur`: three boxes with soft edges, whose variance is the Gaussian's. */
export function blur(picture: Picture, sigma: number): Picture {
  const { width, height } = picture;
  const pixels = picture.pixels.slice();
  const radius = boxRadius(sigma, 3);
  for (let line = 0; line < height; line++) {
    boxes(pixels, line * width, 1, width, radius);
  }
  for (let column = 0; column < width; column++) {
    boxes(pixels, column, width, height, radius);
  }
  return { width, height, pixels };
}

/** The half width of each of `passes` boxes; its fraction is the share of one more pixel on each side. */
function boxRadius(sigma: number, passes: number): number {
  const variance = (sigma * sigma) / passes;
  const whole = Math.floor((Math.sqrt(12 * variance + 1) - 1) / 2);
  const rest = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  return whole + rest / (6 * (variance - (whole + 1) ** 2));
}

function boxes(pixels: Uint8Array, at: number, step: number, length: number, radius: number): void {
  const whole = Math.floor(radius);
  const weight = Math.floor(2 ** 24 / (2 * radius + 1));
  const edge = Math.floor((2 ** 24 - (2 * whole + 1) * weight) / 2);
  const line = new Uint8Array(length);
  const pixel = (i: number) => line[Math.min(length - 1, Math.max(0, i))];
  for (let pass = 0; pass < 3; pass++) {
    for (let i = 0; i < length; i++) {
      line[i] = pixels[at + i * step];
    }
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let k = -whole; k <= whole; k++) {
        sum += pixel(i + k);
      }
      const all = sum * weight + (pixel(i - whole - 1) + pixel(i + whole + 1)) * edge;
      pixels[at + i * step] = Math.floor((all + 2 ** 23) / 2 ** 24);
    }
  }
}

/** From places in the result to places in the source: x' = a·x + b·y + c, y' = d·x + e·y + f. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** `Image.transform` with `AFFINE` by a cubic; what lies outside of the source is 0. */
export function transform(picture: Picture, width: number, height: number, way: Affine): Picture {
  const pixels = new Uint8Array(width * height);
  const [a, b, c, d, e, f] = way;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const xSource = a * (x + 0.5) + b * (y + 0.5) + c;
      const ySource = d * (x + 0.5) + e * (y + 0.5) + f;
      if (xSource >= 0 && xSource < picture.width && ySource >= 0 && ySource < picture.height) {
        pixels[y * width + x] = Math.floor(clip(sample(picture, xSource - 0.5, ySource - 0.5)));
      }
    }
  }
  return { width, height, pixels };
}

function sample({ width, height, pixels }: Picture, x: number, y: number): number {
  const left = Math.floor(x) - 1;
  const top = Math.floor(y) - 1;
  const row = (number: number) => {
    const start = Math.min(height - 1, Math.max(0, number)) * width;
    const pixel = (i: number) => pixels[start + Math.min(width - 1, Math.max(0, left + i))];
    return cubicBetween(pixel(0), pixel(1), pixel(2), pixel(3), x - left - 1);
  };
  return cubicBetween(row(top), row(top + 1), row(top + 2), row(top + 3), y - top - 1);
}

/** The cubic through four values, with a = -1, at a share of the way from the second to the third. */
function cubicBetween(v1: number, v2: number, v3: number, v4: number, d: number): number {
  return v2 + d * (v3 - v1 + d * (2 * (v1 - v2) + v3 - v4 + d * (v2 - v1 + v4 - v3)));
}
