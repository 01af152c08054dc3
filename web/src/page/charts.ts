/** Small charts on canvases. */

import { colour, context } from "./dom";

const css = (name: "ink" | "more" | "muted" | "discriminator" | "generator") => `rgb(${colour(name)})`;

/** The width of the margin of a chart that holds the numbers of its axis, in pixels. */
const AXIS = 36;

/** Draw the losses over steps, on one scale, the newest on the right, in the colours of the lessons. */
export function lines(canvas: HTMLCanvasElement, series: readonly (readonly number[])[]): void {
  const pen = context(canvas);
  const { width, height } = canvas;
  pen.clearRect(0, 0, width, height);
  const finite = series.flat().filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...finite), Math.max(1, ...finite)];
  const y = (value: number) => height - 2 - ((height - 4) * (value - low)) / (high - low);
  pen.strokeStyle = css("muted");
  pen.lineWidth = 1;
  pen.strokeRect(AXIS + 0.5, 0.5, width - AXIS - 1, height - 1);
  (["generator", "discriminator"] as const).forEach((name, number) => {
    const values = series[number] ?? [];
    pen.strokeStyle = css(name);
    pen.lineWidth = 2;
    pen.setLineDash(number ? [6, 3] : []);
    pen.beginPath();
    values.forEach((value, i) => {
      pen.lineTo(AXIS + ((width - AXIS) * i) / Math.max(1, values.length - 1), y(value));
    });
    pen.stroke();
  });
  pen.setLineDash([]);
  pen.fillStyle = css("ink");
  pen.font = "12px sans-serif";
  pen.textAlign = "right";
  pen.fillText(high.toFixed(1), AXIS - 4, 11);
  pen.fillText(low.toFixed(1), AXIS - 4, height - 2);
  pen.textAlign = "start";
}

/** Draw bars of heights in [0, 1] with a name under each; with one name more than bars, names are under their edges. */
export function bars(canvas: HTMLCanvasElement, heights: readonly number[], names: readonly string[]): void {
  const pen = context(canvas);
  const { width, height } = canvas;
  pen.clearRect(0, 0, width, height);
  const step = width / heights.length;
  const room = height - 16;
  pen.font = "12px sans-serif";
  pen.fillStyle = css("more");
  heights.forEach((share, i) => {
    pen.fillRect(i * step + 1, room * (1 - share), Math.max(1, step - 2), room * share);
  });
  const edges = names.length > heights.length;
  pen.fillStyle = css("ink");
  names.forEach((name, i) => {
    pen.textAlign = edges && i === 0 ? "left" : edges && i === heights.length ? "right" : "center";
    pen.fillText(name, (edges ? i : i + 0.5) * step, height - 3);
  });
  pen.textAlign = "start";
}

/** How many values lie in each of `parts` equal parts of a range, relative to the fullest; others go to the ends. */
export function histogram(values: ArrayLike<number>, low: number, high: number, parts: number): number[] {
  const counts = Array.from({ length: parts }, () => 0);
  for (const value of Array.from(values)) {
    const part = Math.floor(((value - low) / (high - low)) * parts);
    counts[Math.min(parts - 1, Math.max(0, part))]++;
  }
  const most = Math.max(1, ...counts);
  return counts.map((count) => count / most);
}
