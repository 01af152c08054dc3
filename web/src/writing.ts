/** Writing, as `inkgan.generation.writing` has it: digits and separators by one hand on one line. */

import type { Description } from "./description";
import {
  digit,
  type Line,
  leanOf,
  nothing,
  STRAIGHT,
  STROKES,
  type Strip,
  type Stroke,
  separator,
  strokeWidth,
} from "./ink";
import { Philox, Stream } from "./philox";
import { roundHalfEven } from "./rounding";

export const DIGITS = "0123456789";
export const CHARACTERS = `${DIGITS}${Object.keys(STROKES).join("")} `;
/** Stands for any digit, drawn by the seed. */
export const WILDCARD = "d";
export const LONGEST_TEXT = 64;
/** The digits by which a hand's pen is measured, and the line on which they are drawn for this. */
const PEN_DIGITS = "01";
const PEN_LINE: Line = { height: 64, baseline: 50, size: 37 };

/** Draws digits: uint8 [N, H, W], 0 paper to 255 ink, for latents [N, D] and labels [N]. */
export interface Pen {
  readonly latent: number;
  readonly height: number;
  readonly width: number;
  draw(latents: Float32Array, labels: readonly number[]): Uint8Array;
}

/** A writer: a latent, and the gap between characters in heights of a digit. */
export interface Hand {
  readonly latent: Float32Array;
  readonly gap: number;
}

export interface WritingOptions {
  readonly seed?: number | bigint;
  readonly writer?: number | bigint;
  readonly style?: number; // 0 to 1: how much a writer varies
  readonly slant?: number; // degrees to the right
  readonly height?: number; // of the image in pixels
  readonly hand?: Hand; // instead of the seed's writer
}

/** Left, top, right and bottom in pixels; right and bottom are the first without ink. */
export type Box = readonly [number, number, number, number];

/** What was written: uint8 [height, width], 0 paper to 255 ink, and the place of each character. */
export interface Writing {
  readonly text: string;
  readonly width: number;
  readonly height: number;
  readonly ink: Uint8Array;
  readonly boxes: readonly Box[];
}

/** Whether a model writes: its classes are the ten digits, by name and in order, and its images have one channel. */
export function canWrite({ classes, names, image }: Description): boolean {
  return classes === 10 && names?.join() === [...DIGITS].join() && image.channels === 1;
}

/** The characters of a text that cannot be written. */
export function unsupportedIn(text: string): string[] {
  return [...text].filter((character) => !(CHARACTERS + WILDCARD).includes(character));
}

/** One of a seed's writers. */
export function handOf(seed: number | bigint, writer: number | bigint, latent: number): Hand {
  const source = new Philox(seed, Stream.WRITER, writer);
  return { latent: source.normals32(latent), gap: source.uniform(0.07, 0.13) };
}

/** Write a text of digits, separators and spaces. */
export function write(text: string, pen: Pen, options: WritingOptions = {}): Writing {
  if (unsupportedIn(text).length || !text.trim() || text.length > LONGEST_TEXT) {
    throw new Error(`"${text}" cannot be written. Write 1 to ${LONGEST_TEXT} of ${CHARACTERS}and ${WILDCARD}.`);
  }
  const { seed = 0, writer = 0, style = 0.25, slant = 0, height = 96 } = options;
  const hand = options.hand ?? handOf(seed, writer, pen.latent);
  const source = new Philox(seed, Stream.WRITING, writer);
  const written = [...text].map((one) => (one === WILDCARD ? String(source.integer(10)) : one)).join("");
  const line: Line = { height, baseline: 0.78 * height, size: 0.58 * height };
  const lean = Math.tan((slant * Math.PI) / 180);
  const strips = charactersOf(written, pen, hand, line, style, lean, source);
  const gaps = Array.from(strips, () => hand.gap * Math.exp(0.5 * style * source.normal()) * line.size);
  const left = sideBySide(written, strips, line, gaps);
  const width = left[left.length - 1];
  const ink = new Uint8Array(width * height);
  const boxes = strips.map((strip, i) => place(strip, left[i], line, ink, width));
  return { text: written, width, height, ink, boxes };
}

function place(strip: Strip, x: number, line: Line, ink: Uint8Array, width: number): Box {
  let [top, bottom] = [line.height, -1];
  for (let y = 0; y < strip.height; y++) {
    for (let i = 0; i < strip.width; i++) {
      const value = strip.pixels[y * strip.width + i];
      const at = y * width + x + i;
      ink[at] = Math.max(ink[at], value);
      if (value) {
        top = Math.min(top, y);
        bottom = y + 1;
      }
    }
  }
  const base = roundHalfEven(line.baseline);
  return bottom < 0 ? [x, base, x + strip.width, base] : [x, top, x + strip.width, bottom];
}

/** The strip of each character; that of a space is empty. */
function charactersOf(
  text: string,
  pen: Pen,
  hand: Hand,
  line: Line,
  style: number,
  lean: number,
  source: Philox,
): Strip[] {
  const characters = [...text];
  const aside = characters.map(() => source.normals32(pen.latent));
  const loose = Math.sqrt(style);
  const clipped = () => Math.min(2, Math.max(-2, source.normal())); // without tails, so that nothing leaves the page
  const sizes = [0.06, 0.05, 0.02];
  const jitter = characters.map(() => sizes.map((size) => loose * clipped() * size));
  const isDigit = (character: string) => DIGITS.includes(character);
  const latents = aside.filter((_, i) => isDigit(characters[i])).map((one) => between(hand.latent, one, style));
  const labels = characters.filter(isDigit).map(Number);
  const separators = characters.some((character) => !isDigit(character) && character !== " ");
  if (separators) {
    // A few of the hand's own digits show its pen.
    latents.push(...Array.from(PEN_DIGITS, () => hand.latent));
    labels.push(...Array.from(PEN_DIGITS, Number));
  }
  const images = drawn(pen, latents, labels);
  const nib = separators ? nibOf(images.slice(-PEN_DIGITS.length)) : { width: 0, slant: 0 };
  const digits = images.values();
  return characters.map((character, i) => {
    const [turn, grow, lift] = jitter[i];
    if (isDigit(character)) {
      return digit(digits.next().value as Strip, line, { lean, turn, grow: Math.exp(grow), lift: lift * line.size });
    }
    if (character === " ") {
      return nothing(line.height);
    }
    const shake = (point: readonly [number, number]) => point.map((one) => one + 0.03 * loose * clipped());
    const strokes = STROKES[character].map((stroke) => stroke.map(shake) as unknown as Stroke);
    return separator(strokes, line, nib.width * line.size, lean + nib.slant);
  });
}

function drawn(pen: Pen, latents: readonly Float32Array[], labels: readonly number[]): Strip[] {
  const all = new Float32Array(latents.length * pen.latent);
  latents.forEach((one, i) => {
    all.set(one, i * pen.latent);
  });
  const images = pen.draw(all, labels);
  const { width, height } = pen;
  const size = width * height;
  return latents.map((_, i) => ({ width, height, pixels: images.subarray(i * size, (i + 1) * size) }));
}

/** The width of a hand's strokes in heights of a digit, from its `PEN_DIGITS`, and the tangent of its slant, from its 1. */
function nibOf(images: readonly Strip[]): { width: number; slant: number } {
  const strips = images.map((image) => digit(image, PEN_LINE, STRAIGHT));
  const width = strips.reduce((sum, strip) => sum + strokeWidth(strip), 0) / strips.length / PEN_LINE.size;
  const slant = leanOf(strips[PEN_DIGITS.indexOf("1")]);
  return { width, slant: Math.min(0.5, Math.max(-0.5, slant)) };
}

/** The latent at `t` of the way from `a` to `b`, along the arc between them. */
export function between(a: Float32Array, b: Float32Array, t: number): Float32Array {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, one, i) => sum + one * y[i], 0);
  const cosine = Math.min(1, Math.max(-1, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))));
  const angle = Math.acos(cosine);
  const sine = Math.sin(angle);
  if (!(sine >= 1e-6)) {
    return t < 0.5 ? a : b; // no arc, or more than one
  }
  return a.map((x, i) => (Math.sin((1 - t) * angle) * x + Math.sin(t * angle) * b[i]) / sine);
}

/** The left edge of each strip, then the width of the page. Strips move together until outlines are a gap apart. */
function sideBySide(text: string, strips: readonly Strip[], line: Line, gaps: readonly number[]): number[] {
  const margin = roundHalfEven(0.25 * line.size);
  let edge = margin;
  const right = new Float64Array(line.height).fill(Number.NEGATIVE_INFINITY); // of the ink so far, by row
  const left: number[] = [];
  strips.forEach((strip, i) => {
    if (!strip.width) {
      left.push(edge);
      if (text[i] === " ") {
        edge += roundHalfEven(0.45 * line.size);
        right.fill(Number.NEGATIVE_INFINITY);
      }
      return;
    }
    const spans = Array.from({ length: strip.height }, (_, y) => spanOf(strip, y));
    let x = edge;
    if (left.length) {
      const grown = dilated(right, gaps[i]);
      const touching = spans.map((span, y) => (span ? grown[y] - span[0] : Number.NEGATIVE_INFINITY));
      x = roundHalfEven(Math.max(edge - 0.15 * line.size, ...touching));
    }
    spans.forEach((span, y) => {
      right[y] = Math.max(right[y], span ? x + span[1] : Number.NEGATIVE_INFINITY);
    });
    left.push(x);
    edge = Math.max(edge, x + strip.width);
  });
  return [...left, edge + margin];
}

/** The first inked column of a row and the first after the last one, or null. */
function spanOf(strip: Strip, y: number): readonly [number, number] | null {
  const row = strip.pixels.subarray(y * strip.width, (y + 1) * strip.width);
  const first = row.findIndex((value) => value > 0);
  if (first < 0) {
    return null;
  }
  let end = strip.width;
  while (!row[end - 1]) {
    end--;
  }
  return [first, end];
}

/** The right edge of the ink, by row, after dilation with a disc of radius `gap`. */
function dilated(right: Float64Array, gap: number): Float64Array {
  const reach = Math.floor(gap);
  const result = new Float64Array(right.length).fill(Number.NEGATIVE_INFINITY);
  for (let shift = -reach; shift <= reach; shift++) {
    const swell = Math.sqrt(gap * gap - shift * shift);
    for (let y = Math.max(0, -shift); y < Math.min(right.length, right.length - shift); y++) {
      result[y] = Math.max(result[y], right[y + shift] + swell);
    }
  }
  return result;
}
