/**
 * Ink on a line, as in `inkgan.generation.ink`: a model's small digits drawn large and sharp, and separators drawn with
 * the same pen. A character is a strip: as high as the line it stands on and as wide as its ink, 0 paper to 255 ink.
 */

import { enlarged } from "./enlarging";
import { type Affine, type Picture, transform } from "./pillow";
import { roundHalfEven } from "./rounding";

export type Strip = Picture;
export type Point = readonly [x: number, y: number];
/** Start, control point and end of a curve; x to the right and y above the baseline, in heights of a digit. */
export type Stroke = readonly [Point, Point, Point];

export const STROKES: Readonly<Record<string, readonly Stroke[]>> = {
  ".": [
    [
      [0.0, 0.05],
      [0.01, 0.05],
      [0.02, 0.04],
    ],
  ],
  ",": [
    [
      [0.04, 0.06],
      [0.05, -0.02],
      [-0.04, -0.1],
    ],
  ],
  "-": [
    [
      [0.0, 0.43],
      [0.2, 0.45],
      [0.4, 0.44],
    ],
  ],
  ":": [
    [
      [0.0, 0.15],
      [0.01, 0.15],
      [0.02, 0.14],
    ],
    [
      [0.0, 0.58],
      [0.01, 0.58],
      [0.02, 0.57],
    ],
  ],
  "/": [
    [
      [0.0, -0.08],
      [0.24, 0.45],
      [0.46, 1.02],
    ],
  ],
  "+": [
    [
      [0.0, 0.44],
      [0.23, 0.46],
      [0.48, 0.45],
    ],
    [
      [0.24, 0.7],
      [0.24, 0.44],
      [0.23, 0.2],
    ],
  ],
};

const ENLARGED = 4;
const SMOOTHED = 0.6; // the standard deviation of the Gaussian, in pixels of the image
const EDGE = 0.4; // the grey level, of 1, that becomes the edge of the ink
const FAINT = 64; // pixels up to this, of 255, are the soft edge of the ink

/** A line on which characters stand: its height, the row on which digits stand, and the height of a digit, in rows. */
export interface Line {
  readonly height: number;
  readonly baseline: number;
  readonly size: number;
}

/** How a digit is placed: its shear, its rotation in radians, its relative size, and its rows above the baseline. */
export interface Set {
  readonly lean: number;
  readonly turn: number;
  readonly grow: number;
  readonly lift: number;
}

export const STRAIGHT: Set = { lean: 0, turn: 0, grow: 1, lift: 0 };

/** The strip of a character without ink. */
export function nothing(height: number): Strip {
  return { width: 0, height, pixels: new Uint8Array(0) };
}

/** Draw a model's digit on a line. */
export function digit(image: Picture, line: Line, { lean, turn, grow, lift }: Set): Strip {
  const clean = withoutSpecks(image);
  const box = inkedBox(clean, FAINT);
  if (!box) {
    return nothing(line.height);
  }
  const { top, bottom, left, right } = box;
  // Very wide digits stay lower than others, and specks small.
  const scale = (grow * line.size) / Math.max(bottom - top, 0.9 * (right - left), 0.5 * clean.height);
  const width = Math.floor((2.5 + 2.5 * Math.abs(lean)) * line.size);
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  // A digit is rotated and then sheared, about the middle of its foot. Sampling needs the inverse of this.
  const [a, b, c, d] = [scale * (cos - lean * sin), scale * (-sin - lean * cos), scale * sin, scale * cos];
  const share = ENLARGED / (a * d - b * c);
  const back = [d * share, -b * share, -c * share, a * share];
  const [x, y] = [Math.floor(width / 2), line.baseline - lift];
  const way: Affine = [
    back[0],
    back[1],
    ((left + right) / 2) * ENLARGED - back[0] * x - back[1] * y,
    back[2],
    back[3],
    bottom * ENLARGED - back[2] * x - back[3] * y,
  ];
  const placed = transform(enlarged(clean, ENLARGED, SMOOTHED), width, line.height, way);
  // The larger the digit, the slower its grey rises across an edge: make it rise within about two pixels again.
  const half = Math.min(0.35, 0.45 / scale);
  return cut(width, line.height, (i) => (placed.pixels[i] / 255 - EDGE) / (2 * half) + 0.5);
}

interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** The smallest box around all pixels above a level, if there are any; right and bottom are the first outside. */
export function inkedBox(
  { width, height, pixels }: { width: number; height: number; pixels: Uint8Array | Float32Array },
  level: number,
): Box | null {
  let [top, bottom, left, right] = [height, -1, width, -1];
  pixels.forEach((value, i) => {
    if (value > level) {
      const [x, y] = [i % width, Math.floor(i / width)];
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
    }
  });
  return bottom < 0 ? null : { top, bottom, left, right };
}

/** Remove unconnected pieces that hold less than 10 % of the inked pixels: they would look like dots. */
export function withoutSpecks({ width, height, pixels }: Picture): Picture {
  const inked = (x: number, y: number) => x >= 0 && x < width && y >= 0 && y < height && pixels[y * width + x] > FAINT;
  const seen = new Uint8Array(width * height);
  const kept = new Uint8Array(width * height);
  const enough = 0.1 * pixels.filter((value) => value > FAINT).length;
  for (let start = 0; start < pixels.length; start++) {
    if (seen[start] || pixels[start] <= FAINT) {
      continue;
    }
    const piece = [start];
    seen[start] = 1;
    for (const place of piece) {
      forAround(place, width, (x, y) => {
        if (inked(x, y) && !seen[y * width + x]) {
          seen[y * width + x] = 1;
          piece.push(y * width + x);
        }
      });
    }
    if (piece.length >= enough) {
      for (const place of piece) {
        forAround(place, width, (x, y) => {
          if (x >= 0 && x < width && y >= 0 && y < height) {
            kept[y * width + x] = 1; // with its soft edge
          }
        });
      }
    }
  }
  return { width, height, pixels: pixels.map((value, i) => (kept[i] ? value : 0)) };
}

function forAround(place: number, width: number, visit: (x: number, y: number) => void): void {
  const [x, y] = [place % width, Math.floor(place / width)];
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      visit(x + dx, y + dy);
    }
  }
}

/** Draw a separator with a round pen, `width` pixels wide; `lean` is the tangent of its slant to the right. */
export function separator(strokes: readonly Stroke[], line: Line, width: number, lean: number): Strip {
  const reach = Math.ceil((1 + 1.2 * Math.abs(lean)) * line.size + width);
  const columns = 2 * reach;
  const paths = strokes.map(([start, control, end]) =>
    Array.from({ length: 9 }, (_, i): Point => {
      const t = i / 8;
      const at = (k: 0 | 1) => (1 - t) ** 2 * start[k] + 2 * t * (1 - t) * control[k] + t ** 2 * end[k];
      return [(at(0) + lean * at(1)) * line.size + reach, -at(1) * line.size + line.baseline];
    }),
  );
  return cut(columns, line.height, (place) => {
    const [x, y] = [(place % columns) + 0.5, Math.floor(place / columns) + 0.5];
    let nearest = Number.POSITIVE_INFINITY;
    for (const path of paths) {
      for (let i = 1; i < path.length; i++) {
        nearest = Math.min(nearest, distance(x, y, path[i - 1], path[i]));
      }
    }
    return (width / 2 - nearest) / 1.5 + 0.5;
  });
}

/** The distance of a point from the segment between `a` and `b`. */
function distance(x: number, y: number, a: Point, b: Point): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const t = Math.min(1, Math.max(0, ((x - a[0]) * dx + (y - a[1]) * dy) / Math.max(dx * dx + dy * dy, 1e-9)));
  return Math.hypot(x - a[0] - t * dx, y - a[1] - t * dy);
}

/** Round ink in [0, 1] to 0..255 and cut off the empty columns on the left and on the right. */
function cut(width: number, height: number, ink: (place: number) => number): Strip {
  const pixels = Uint8Array.from({ length: width * height }, (_, i) =>
    roundHalfEven(Math.min(1, Math.max(0, ink(i))) * 255),
  );
  const box = inkedBox({ width, height, pixels }, 0);
  if (!box) {
    return nothing(height);
  }
  const columns = box.right - box.left;
  const result = new Uint8Array(columns * height);
  for (let y = 0; y < height; y++) {
    result.set(pixels.subarray(y * width + box.left, y * width + box.right), y * columns);
  }
  return { width: columns, height, pixels: result };
}

/** The mean width of the strokes, in pixels: twice the area over the length of the outline; 0 without ink. */
export function strokeWidth({ width, height, pixels }: Strip): number {
  const at = (x: number, y: number) => (x < 0 || x >= width || y < 0 || y >= height ? 0 : pixels[y * width + x] / 255);
  let [area, outline] = [0, 0];
  for (let y = -1; y < height; y++) {
    for (let x = -1; x < width; x++) {
      area += at(x, y);
      outline += Math.hypot(at(x, y + 1) - at(x, y), at(x + 1, y) - at(x, y));
    }
  }
  return outline ? (2 * area) / outline : 0;
}

/** The tangent of the angle by which a stroke leans to the right, from its second moments; 0 without ink. */
export function leanOf({ width, pixels }: Strip): number {
  const places = Array.from(pixels.keys()).filter((i) => pixels[i] > 127);
  const xs = places.map((i) => i % width);
  const ys = places.map((i) => Math.floor(i / width));
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [x, y] = [mean(xs), mean(ys)];
  const variance = ys.reduce((sum, one) => sum + (one - y) ** 2, 0);
  if (!(variance > 0)) {
    return 0;
  }
  return -xs.reduce((sum, one, i) => sum + (one - x) * (ys[i] - y), 0) / variance;
}
