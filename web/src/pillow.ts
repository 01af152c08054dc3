/** The affine transformation of grey pictures as Pillow does it, to the last grey level. Pictures are uint8, row by row. */

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** From places in the result to places in the source: x' = a·x + b·y + c, y' = d·x + e·y + f. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** `Image.transform` with `AFFINE`, bilinear; what lies outside of the source is 0. */
export function transform(picture: Picture, width: number, height: number, way: Affine): Picture {
  const pixels = new Uint8Array(width * height);
  const [a, b, c, d, e, f] = way;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const xSource = a * (x + 0.5) + b * (y + 0.5) + c;
      const ySource = d * (x + 0.5) + e * (y + 0.5) + f;
      if (xSource >= 0 && xSource < picture.width && ySource >= 0 && ySource < picture.height) {
        pixels[y * width + x] = Math.floor(sample(picture, xSource - 0.5, ySource - 0.5));
      }
    }
  }
  return { width, height, pixels };
}

function sample({ width, height, pixels }: Picture, x: number, y: number): number {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const row = (number: number) => {
    const start = Math.min(height - 1, Math.max(0, number)) * width;
    const pixel = (column: number) => pixels[start + Math.min(width - 1, Math.max(0, column))];
    return between(pixel(left), pixel(left + 1), x - left);
  };
  return between(row(top), row(top + 1), y - top);
}

/** Linear interpolation between two values. */
function between(from: number, to: number, share: number): number {
  return from + (to - from) * share;
}
