/** Making elements, and painting pictures on canvases in the page's own colours. */

import type { Picture } from "./api";
import { label, say, type TextKey, type Values } from "./texts";

const LARGEST_SEED = 2n ** 63n - 1n;
const GAP = 2; // pixels between the images of a sheet

type Attributes = Readonly<Record<string, string | number | boolean>>;
type Child = Node | string;

/** An element with attributes and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children);
  return element;
}

/** An element that shows a sentence. */
export function said<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  key: TextKey,
  attributes: Attributes = {},
  values: Values = {},
): HTMLElementTagNameMap[K] {
  const element = make(tag, attributes);
  say(element, key, values);
  return element;
}

/** A button. */
export function button(key: TextKey, act: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const element = said("button", key, { type: "button", ...attributes });
  element.addEventListener("click", act);
  return element;
}

/** A control under its name. */
export function field(key: TextKey, control: HTMLElement): HTMLLabelElement {
  return make("label", { class: "field" }, said("span", key), control);
}

/** The seed in a text field; null if the field holds anything else. */
export function seedIn(input: HTMLInputElement): bigint | null {
  const text = input.value.trim();
  if (!/^\d{1,19}$/.test(text)) {
    return null;
  }
  const seed = BigInt(text);
  return seed <= LARGEST_SEED ? seed : null;
}

/** A slider that shows its value. */
export function slider(
  key: TextKey,
  options: { readonly min: number; readonly max: number; readonly step: number; readonly value: number },
  changed: () => void,
): { readonly element: HTMLElement; readonly input: HTMLInputElement } {
  const input = make("input", { type: "range", ...options });
  const shown = make("output", {}, String(options.value));
  input.addEventListener("input", () => {
    shown.textContent = input.value;
    changed();
  });
  return { element: make("label", { class: "field" }, make("span", {}, said("span", key), " ", shown), input), input };
}

/** A canvas for a picture, with an accessible name. */
export function picture(key: TextKey, width: number, height: number, className = ""): HTMLCanvasElement {
  const canvas = make("canvas", { width, height, class: className, role: "img" });
  label(canvas, key);
  return canvas;
}

export function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const found = canvas.getContext("2d", { willReadFrequently: true });
  if (!found) {
    throw new Error("no canvas");
  }
  return found;
}

export type Colour = "ink" | "line" | "more" | "less" | "discriminator" | "generator";

/** One of the page's colours, by the name of its CSS variable. */
export function colour(name: Colour): [number, number, number] {
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const number = Number.parseInt(value.slice(1), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

/** Whether a pointer presses: the first finger or the left button, no palm and no button that opens a menu. */
export function presses(event: PointerEvent): boolean {
  return event.isPrimary && (event.buttons & 1) === 1;
}

const paintings = new Map<HTMLCanvasElement, () => void>();

/** Paint a canvas, now and whenever the page's colours change. */
export function paint(canvas: HTMLCanvasElement, painting: () => void): void {
  paintings.set(canvas, painting);
  painting();
}

/** Paint on top of what a canvas shows, now and whenever the page's colours change. */
export function paintOver(canvas: HTMLCanvasElement, painting: () => void): void {
  const below = paintings.get(canvas);
  paintings.set(canvas, () => {
    below?.();
    painting();
  });
  painting();
}

/** Paint everything again in the current colours. */
export function repaint(): void {
  for (const painting of paintings.values()) {
    painting();
  }
}

/** Leave a canvas empty, as one is that gets a width, whatever the scale of its pen. */
export function wipe(canvas: HTMLCanvasElement): void {
  paint(canvas, () => {
    const { width } = canvas;
    canvas.width = width;
  });
}

/**
 * Paint images on a canvas, `columns` in a row: uint8 [n, height, width, channels], 0 paper to 255 ink if there is one
 * channel.
 */
export function paintSheet(canvas: HTMLCanvasElement, images: Picture, columns: number): void {
  const { width, height, pixels, channels } = images;
  const size = width * height * channels;
  const count = pixels.length / size;
  canvas.width = columns * (width + GAP) - GAP;
  canvas.height = Math.ceil(count / columns) * (height + GAP) - GAP;
  paint(canvas, () => {
    for (let i = 0; i < count; i++) {
      const image = asImage(pixels.subarray(i * size, (i + 1) * size), width, height, channels);
      context(canvas).putImageData(image, (i % columns) * (width + GAP), Math.floor(i / columns) * (height + GAP));
    }
  });
}

/** An image as the page shows it: ink in the colour of ink, or colours as they are. */
export function asImage(pixels: Uint8Array, width: number, height: number, channels: number): ImageData {
  const image = new ImageData(width, height);
  const { data } = image;
  const ink = colour("ink");
  for (let i = 0; i < width * height; i++) {
    for (let k = 0; k < 3; k++) {
      data[4 * i + k] = channels === 3 ? pixels[3 * i + k] : ink[k];
    }
    data[4 * i + 3] = channels === 3 ? 255 : pixels[i];
  }
  return image;
}

/** Signed numbers as colours: `more` above 0, `less` below, and opaque from an absolute value of `full` on. */
export function asColours(values: Float32Array, width: number, height: number, full: number): ImageData {
  const image = new ImageData(width, height);
  const { data } = image;
  const [more, less] = [colour("more"), colour("less")];
  for (let i = 0; i < values.length; i++) {
    const side = values[i] > 0 ? more : less;
    for (let k = 0; k < 3; k++) {
      data[4 * i + k] = side[k];
    }
    data[4 * i + 3] = 255 * Math.min(1, Math.abs(values[i]) / full);
  }
  return image;
}

/** Offer a blob as a download. */
export function save(blob: Blob, name: string): void {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
