/** The outline of ink as an SVG path: the contour at half the ink, by marching squares with interpolated crossings. */

type Point = readonly [number, number];

/** Ink uint8 [height, width] as the `d` of a path, to be filled by the rule "evenodd". */
export function outline(ink: Uint8Array, width: number, height: number): string {
  const at = (x: number, y: number) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : ink[y * width + x]);
  const next = new Map<string, Point[]>(); // from a crossing to those it leads to
  const cross = (x0: number, y0: number, x1: number, y1: number): Point => {
    const share = (127.5 - at(x0, y0)) / (at(x1, y1) - at(x0, y0));
    return [x0 + share * (x1 - x0) + 0.5, y0 + share * (y1 - y0) + 0.5];
  };
  const link = (from: Point, to: Point) => {
    const key = keyOf(from);
    next.set(key, [...(next.get(key) ?? []), to]);
  };
  for (let y = -1; y < height; y++) {
    for (let x = -1; x < width; x++) {
      for (const [from, to] of linesIn(x, y, at, cross)) {
        link(from, to);
      }
    }
  }
  return pathsOf(next);
}

function keyOf([x, y]: Point): string {
  return `${x.toFixed(3)},${y.toFixed(3)}`;
}

/** The pieces of outline between four neighbouring pixels, the ink on their left. */
function linesIn(
  x: number,
  y: number,
  at: (x: number, y: number) => number,
  cross: (x0: number, y0: number, x1: number, y1: number) => Point,
): [Point, Point][] {
  const corners = [
    [x, y],
    [x + 1, y],
    [x + 1, y + 1],
    [x, y + 1],
  ] as const; // clockwise
  const inked = corners.map(([cx, cy]) => at(cx, cy) > 127.5);
  const entries: Point[] = [];
  const exits: Point[] = [];
  for (let i = 0; i < 4; i++) {
    const j = (i + 1) % 4;
    if (inked[i] !== inked[j]) {
      const [a, b] = inked[i] ? [corners[j], corners[i]] : [corners[i], corners[j]]; // the same order in both cells
      (inked[i] ? exits : entries).push(cross(a[0], a[1], b[0], b[1]));
    }
  }
  return exits.map((exit, i) => [exit, entries[i % entries.length]]);
}

function pathsOf(next: Map<string, Point[]>): string {
  const paths: string[] = [];
  for (const [start, ways] of next) {
    while (ways.length) {
      const line = lineFrom(start, next).map((point) => point.replace(/\.?0+(?=,|$)/g, ""));
      paths.push(`M${line.join("L")}Z`);
    }
  }
  return paths.join("");
}

/** Follow the line from a crossing until it comes back there, and take its pieces away; return its crossings. */
function lineFrom(start: string, next: Map<string, Point[]>): string[] {
  const line: string[] = [];
  let key = start;
  let way = next.get(key)?.pop();
  while (way) {
    line.push(key);
    key = keyOf(way);
    way = next.get(key)?.pop();
  }
  return line;
}
