/** Small charts on canvases. */

import { type Colour, colour, context } from "./dom";

const css = (name: Colour) => `rgb(${colour(name)})`;

/** The height of a chart in pixels of CSS, as in style.css. */
const HEIGHT = 140;
/** The width of the margin of a chart that holds the numbers of its axis, in pixels. */
const AXIS = 44;
/** The height of the margin below bars that holds their names. */
const NAMES = 18;
/** The width of a canvas that is not shown yet. */
const USUAL_WIDTH = 400;

/** Clear a canvas, and let it have a pixel for each of the screen's. The pen draws in pixels of CSS. */
function cleared(canvas: HTMLCanvasElement): { readonly pen: CanvasRenderingContext2D; readonly width: number } {
  const pen = context(canvas);
  const width = canvas.clientWidth || USUAL_WIDTH;
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round(HEIGHT * devicePixelRatio);
  pen.scale(devicePixelRatio, devicePixelRatio);
  pen.font = "12px system-ui, sans-serif";
  return { pen, width };
}

/** Write the numbers of the axis on the left, and draw a thin line at each. */
function axis(
  pen: CanvasRenderingContext2D,
  width: number,
  marks: readonly (readonly [name: string, y: number])[],
): void {
  pen.fillStyle = css("ink");
  pen.strokeStyle = css("line");
  pen.lineWidth = 0.5;
  pen.textAlign = "right";
  for (const [name, y] of marks) {
    pen.fillText(name, AXIS - 5, y + 4);
    pen.beginPath();
    pen.moveTo(AXIS, y);
    pen.lineTo(width, y);
    pen.stroke();
  }
  pen.textAlign = "start";
}

/** A number for an axis, of at most six characters: losses that blow up reach millions. */
export function tick(value: number): string {
  return Math.abs(value) < 999.95 ? value.toFixed(1) : value.toExponential(1).replace("+", "");
}

/** Draw the losses over steps, on one scale, the newest on the right, in the colours of the lessons. */
export function lines(canvas: HTMLCanvasElement, series: readonly (readonly number[])[]): void {
  const { pen, width } = cleared(canvas);
  const finite = series.flat().filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...finite), Math.max(1, ...finite)];
  const y = (value: number) => HEIGHT - 8 - ((HEIGHT - 16) * (value - low)) / (high - low);
  axis(
    pen,
    width,
    [low, (low + high) / 2, high].map((value) => [tick(value), y(value)]),
  );
  (["generator", "discriminator"] as const).forEach((name, number) => {
    const values = series[number] ?? [];
    pen.strokeStyle = css(name);
    pen.lineWidth = 2;
    pen.setLineDash(number ? [6, 3] : []);
    pen.beginPath();
    if (values.length === 1) {
      // One value has no line: it is a dot, and the discriminator's a ring, which shows both where they are equal.
      pen.arc(AXIS + 6, y(values[0]), 1.5 + 3 * number, 0, 2 * Math.PI);
    } else {
      values.forEach((value, i) => {
        pen.lineTo(AXIS + ((width - AXIS) * i) / (values.length - 1), y(value));
      });
    }
    pen.stroke();
  });
  pen.setLineDash([]);
}

/**
 * Draw shares as bars with a name under each; with one name more than bars, names are under their edges. `most` is the
 * end of the scale, by default the largest share.
 */
export function bars(
  canvas: HTMLCanvasElement,
  shares: readonly number[],
  names: readonly string[],
  most = Math.max(...shares),
): void {
  const { pen, width } = cleared(canvas);
  const step = (width - AXIS) / shares.length;
  const y = (share: number) => 8 + (HEIGHT - NAMES - 8) * (1 - share / (most || 1));
  axis(
    pen,
    width,
    [0, most / 2, most].map((share) => [`${Math.round(100 * share)}%`, y(share)]),
  );
  pen.fillStyle = css("more");
  shares.forEach((share, i) => {
    pen.fillRect(AXIS + i * step + 1, y(share), Math.max(1, step - 2), y(0) - y(share));
  });
  const edges = names.length > shares.length;
  pen.fillStyle = css("ink");
  names.forEach((name, i) => {
    const x = AXIS + (edges ? i : i + 0.5) * step;
    pen.textAlign = edges && i === shares.length ? "right" : "center";
    pen.fillText(name, x, HEIGHT - 4);
    if (edges && name === "0") {
      pen.fillRect(x - 0.5, 0, 1, HEIGHT - NAMES);
    }
  });
  pen.textAlign = "start";
}

/** Which share of values lies in each of `parts` equal parts of a range; others go to the ends. */
export function histogram(values: ArrayLike<number>, low: number, high: number, parts: number): number[] {
  const counts = Array.from({ length: parts }, () => 0);
  for (const value of Array.from(values)) {
    const part = Math.floor(((value - low) / (high - low)) * parts);
    counts[Math.min(parts - 1, Math.max(0, part))]++;
  }
  return counts.map((count) => count / Math.max(1, values.length));
}
