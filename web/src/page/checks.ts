/** Checks of what scripts ask for. Unchecked, a wrong number would draw something else, nothing, or never end. */

import type { MapSize } from "../convolution";
import { DIGIT } from "../digits";
import type { Data } from "../trainer";

/** Throws an error that says what is allowed, if a value is not. */
export type Check = (name: string, value: unknown) => void;

const LARGEST_SEED = 2n ** 63n - 1n;

function isNumber(value: unknown, low: number, high: number): value is number {
  return typeof value === "number" && value >= low && value <= high;
}

function refuse(name: string, value: unknown, allowed: string): never {
  const given = typeof value === "string" ? JSON.stringify(value) : String(value);
  throw new Error(`${name} is ${given}. Give ${allowed}.`);
}

export function number(low: number, high = Number.POSITIVE_INFINITY): Check {
  const allowed = high === Number.POSITIVE_INFINITY ? `a number from ${low} on` : `a number from ${low} to ${high}`;
  return (name, value) => isNumber(value, low, high) || refuse(name, value, allowed);
}

export function whole(low: number, high = Number.MAX_SAFE_INTEGER): Check {
  const allowed =
    high === Number.MAX_SAFE_INTEGER ? `a whole number from ${low} on` : `a whole number from ${low} to ${high}`;
  return (name, value) => (isNumber(value, low, high) && Number.isInteger(value)) || refuse(name, value, allowed);
}

/** A seed, or the number of a writer: a number, a BigInt, or its digits. */
export const seed: Check = (name, value) => {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value) || /^\d{1,19}$/.test(String(value));
  const found = isWhole ? BigInt(value as bigint | number | string) : -1n;
  return (found >= 0n && found <= LARGEST_SEED) || refuse(name, value, `a whole number from 0 to ${LARGEST_SEED}`);
};

export const flag: Check = (name, value) => typeof value === "boolean" || refuse(name, value, "true or false");

export const string: Check = (name, value) => typeof value === "string" || refuse(name, value, "a text");

export const callback: Check = (name, value) => typeof value === "function" || refuse(name, value, "a function");

export function oneOf(allowed: readonly string[]): Check {
  return (name, value) => allowed.includes(value as string) || refuse(name, value, `one of ${allowed.join(", ")}`);
}

/** Check options. One that is undefined counts as left out; one of another name is refused. */
export function checkOptions(given: unknown, checks: Readonly<Record<string, Check>>): void {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(checks, name)) {
      throw new Error(`there is no option ${name}. There are: ${Object.keys(checks).join(", ")}.`);
    }
    if (value !== undefined) {
      checks[name](name, value);
    }
  }
}

/** Whether a value is an array of this type, perhaps one of another window, as of a page that embeds this one. */
function isArray(value: unknown, type: "Float32Array" | "Uint8Array"): boolean {
  return Object.prototype.toString.call(value) === `[object ${type}]`;
}

/** The numbers in an image. */
export function numbersIn({ height, width, channels }: MapSize): number {
  return height * width * channels;
}

function checkLabels(labels: ArrayLike<number>, classes: number): void {
  const check = whole(0, Math.max(0, classes - 1)); // without classes every label is 0
  for (const one of Array.from(labels ?? [])) {
    check("a label", one);
  }
}

/** Whether there are labels, at least one, and `size` numbers for each. */
function areEnough(numbers: Float32Array, labels: ArrayLike<number>, size: number): boolean {
  const count = labels?.length ?? 0;
  return count > 0 && isArray(numbers, "Float32Array") && numbers.length === count * size;
}

/** Check latents [n, size] and the label of each. */
export function checkLatents(latents: Float32Array, labels: readonly number[], size: number, classes: number): void {
  checkLabels(labels, classes);
  if (!(areEnough(latents, labels, size) && latents.every(Number.isFinite))) {
    throw new Error(`give one or more labels, and a Float32Array with ${size} finite numbers for each.`);
  }
}

/** Check images [n, H, W, C] in [0, 1] and the label of each. */
export function checkImages(images: Float32Array, labels: ArrayLike<number>, image: MapSize, classes: number): void {
  const size = numbersIn(image);
  checkLabels(labels, classes);
  if (!(areEnough(images, labels, size) && images.every((one) => one >= 0 && one <= 1))) {
    throw new Error(`give one or more images, each ${size} numbers from 0 to 1 in a Float32Array, and as many labels.`);
  }
}

/** Check digits to learn from: the page can show no others than those of 28×28 pixels with labels from 0 to 9. */
export const digits: Check = (name, value) => {
  const { image, pixels, labels, classes } = (value ?? {}) as Partial<Data>;
  const isDigit = image?.height === DIGIT.height && image.width === DIGIT.width && image.channels === DIGIT.channels;
  const count = pixels && isArray(pixels, "Uint8Array") ? pixels.length / numbersIn(DIGIT) : 0;
  const known = Array.from(labels ?? []);
  const right = classes === 10 && known.length === count && known.every((one) => isNumber(one, 0, 9));
  if (!isDigit || count === 0 || !right) {
    throw new Error(`${name} has no digits, or not one label for each. Give them in the form of inkgan.digits.`);
  }
};
