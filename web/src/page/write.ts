/** The view "Write": a text appears in a hand. */

import { outline } from "../outline";
import { between, CHARACTERS, type Hand, LONGEST_TEXT, unsupportedIn, type Writing } from "../writing";
import type { Inkgan } from "./api";
import { button, context, field, make, paintSheet, picture, said, save, seedIn, slider } from "./dom";
import { label, type Sentence, tell } from "./texts";

/** Paint writing on a canvas, in the colour of ink. */
export function paintWriting(canvas: HTMLCanvasElement, writing: Writing): void {
  paintSheet(canvas, { ...writing, channels: 1, pixels: writing.ink }, 1);
  label(canvas, "writtenAs", { text: writing.text });
}

/** What is wrong with a text; null if it can be written. */
export function wrongWith(text: string): Sentence | null {
  const strange = unsupportedIn(text);
  if (strange.length) {
    return ["writeStrange", { characters: [...new Set(strange)].map(visible).join(" ") }];
  }
  return text.length > LONGEST_TEXT ? ["writeTooLong", { longest: LONGEST_TEXT }] : null;
}

/** A character, or its number if it cannot be seen, such as U+00A0 for a space at which no line ends. */
function visible(character: string): string {
  const number = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return /[\p{C}\p{Z}]/u.test(character) ? `U+${number}` : character;
}

/** The date where the reader is. */
export function today(): string {
  return new Date().toLocaleDateString("sv"); // Swedish writes 2026-11-30
}

/** A text field for what can be written, at first today's date, and a place for the message about what cannot. */
export function textField(key: "writeText" | "yourText", changed: () => void) {
  const value = today();
  const asTyped = { autocomplete: "off", autocapitalize: "none", spellcheck: "false" }; // d is not D
  const input = make("input", { type: "text", value, inputmode: "text", ...asTyped });
  input.addEventListener("input", changed);
  const problem = make("p", { class: "problem", role: "alert", id: `${key}-problem` });
  input.setAttribute("aria-describedby", `${key}-hint ${key}-problem`);
  return {
    input,
    problem,
    element: make("div", {}, field(key, input), said("p", "writeHint", { class: "hint", id: `${key}-hint` }), problem),
  };
}

/** One call at a time: while one runs, the newest waits and those before it are forgotten. */
export function latestOnly(work: () => Promise<void>): () => void {
  let [running, again] = [false, false];
  return async () => {
    again = true;
    if (running) {
      return;
    }
    running = true;
    try {
      while (again) {
        again = false;
        await work();
      }
    } finally {
      running = false;
    }
  };
}

export function writeView(inkgan: Inkgan): HTMLElement {
  const canvas = picture("nothingWritten", 300, 96, "writing");
  let shown: Writing | null = null;
  const redraw = latestOnly(async () => {
    const [wanted, number] = [text.input.value, seedIn(seed)]; // the fields may change while this waits
    const wrong = wrongWith(wanted);
    const problem: Sentence | null = wrong ?? (number === null ? ["seedWrong"] : null);
    tell(text.problem, problem);
    text.input.setAttribute("aria-invalid", String(wrong !== null));
    seed.setAttribute("aria-invalid", String(number === null));
    if (problem || number === null || !wanted.trim()) {
      return;
    }
    const hand = await handBetween(inkgan, number, Number(writer.input.value), Number(towards.input.value));
    shown = await inkgan.write(wanted, {
      seed: number,
      writer: Number(writer.input.value),
      style: Number(style.input.value),
      slant: Number(slant.input.value),
      height: Number(size.input.value),
      hand,
    });
    paintWriting(canvas, shown);
  });
  const text = textField("writeText", redraw);
  const seed = make("input", { type: "text", value: "0", inputmode: "numeric", autocomplete: "off" });
  seed.addEventListener("input", redraw);
  const writer = slider("writer", { min: 0, max: 99, step: 1, value: 0 }, redraw);
  const towards = slider("towards", { min: 0, max: 1, step: 0.01, value: 0 }, redraw);
  const style = slider("style", { min: 0, max: 1, step: 0.01, value: 0.25 }, redraw);
  const slant = slider("slant", { min: -45, max: 45, step: 1, value: 0 }, redraw);
  const size = slider("size", { min: 24, max: 512, step: 1, value: 96 }, redraw);
  const another = button("anotherWriter", () => {
    seed.value = String(Math.floor(Math.random() * 1e9));
    redraw();
  });
  const png = button("savePng", () => shown && savePng(shown));
  const svg = button("saveSvg", () => shown && saveSvg(shown));
  redraw();
  return make(
    "section",
    {},
    said("h2", "writeTitle"),
    text.element,
    make("div", { class: "paper" }, canvas),
    make("div", { class: "buttons" }, another, png, svg),
    make(
      "div",
      { class: "fields" },
      field("seed", seed),
      ...[writer, towards, style, slant, size].map((one) => one.element),
    ),
  );
}

/** A hand between one writer and the next. */
async function handBetween(inkgan: Inkgan, seed: bigint, writer: number, share: number): Promise<Hand> {
  const hand = await inkgan.hand(seed, writer);
  if (share === 0) {
    return hand;
  }
  const other = await inkgan.hand(seed, writer + 1);
  return {
    latent: between(hand.latent, other.latent, share),
    gap: hand.gap + share * (other.gap - hand.gap),
  };
}

function savePng({ ink, width, height, text }: Writing): void {
  const canvas = make("canvas", { width, height });
  const image = new ImageData(width, height);
  ink.forEach((value, i) => {
    image.data.set([255 - value, 255 - value, 255 - value, 255], 4 * i);
  });
  context(canvas).putImageData(image, 0, 0);
  canvas.toBlob((blob) => blob && save(blob, `${fileName(text)}.png`), "image/png");
}

function saveSvg({ ink, width, height, text }: Writing): void {
  const path = `<path fill-rule="evenodd" d="${outline(ink, width, height)}"/>`;
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  const content = `<svg xmlns="http://www.w3.org/2000/svg" ${size}><title>${text}</title>${path}</svg>\n`;
  save(new Blob([content], { type: "image/svg+xml" }), `${fileName(text)}.svg`);
}

function fileName(text: string): string {
  return [...text].map((one) => (CHARACTERS.indexOf(one) < 10 || one === "-" ? one : "_")).join("");
}
