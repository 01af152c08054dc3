/** The affine transformation of grey pictures as Pillow does it, to the last grey level. Pictures are uint8, row by row. */

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

function clip(x: number): number {
  return Math.min(255, Math.max(0, x));
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
