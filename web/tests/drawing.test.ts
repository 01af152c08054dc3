import { deepStrictEqual, ok, strictEqual, throws } from "node:assert";
import { test } from "node:test";
import { Classifier } from "../src/classifier";
import { enlarged } from "../src/enlarging";
import { drawAll, Generator } from "../src/generator";
import { inFormOfMnist, invert, isUnlike, lengthOf } from "../src/inversion";
import { latents, Philox, Stream } from "../src/philox";
import { type Picture, transform } from "../src/pillow";
import { toUint8 } from "../src/rounding";
import { Workspace } from "../src/workspace";
import { canWrite, type Pen, write } from "../src/writing";
import { golden, goldenJson } from "./golden";

const DIGIT = { height: 28, width: 28, channels: 1 };

function load(name: "fast" | "best", batch = 32): { ws: Workspace; generator: Generator; pen: Pen } {
  const ws = new Workspace();
  const sizes = name === "fast" ? { channels: 48, slope: 0.1 } : { channels: 96, slope: 0.2 };
  const description = { image: DIGIT, classes: 10, latent: 64, ...sizes };
  const generator = new Generator(ws, description, batch, false);
  generator.parameters.read(golden(name));
  const draw = (drawn: Float32Array, labels: readonly number[]) => toUint8(drawAll(ws, generator, drawn, labels));
  return { ws, generator, pen: { latent: 64, height: 28, width: 28, draw } };
}

for (const name of ["fast", "best"] as const) {
  test(`1,000 images of ${name} are the Python package's, within one grey level`, () => {
    const { pen } = load(name);
    const expected = golden(`drawn-${name}`).get("images")?.data ?? new Float32Array();
    const drawn = new Float32Array(1000 * 64);
    for (let i = 0; i < 1000; i++) {
      drawn.set(latents(3, Stream.SAMPLE_LATENTS, i, 1, 64), i * 64);
    }
    const images = pen.draw(
      drawn,
      Array.from({ length: 1000 }, (_, i) => i % 10),
    );
    strictEqual(images.length, expected.length);
    let different = 0;
    images.forEach((value, i) => {
      const apart = Math.abs(value - expected[i]);
      ok(apart <= 1, `pixel ${i}: ${value}, not ${expected[i]}`);
      different += apart;
    });
    ok(different < 1e-3 * images.length, `${different} pixels of ${images.length} differ`);
  });
}

test("pictures are enlarged as the Python package does it, and transformed as Pillow does it", () => {
  const digits = golden("pillow-digits").get("digits")?.data ?? new Float32Array();
  const expected = golden("pillow");
  for (let i = 0; i < 20; i++) {
    const pixels = Uint8Array.from(digits.subarray(i * 784, (i + 1) * 784));
    const smooth = enlarged({ width: 28, height: 28, pixels }, 4, 0.6);
    const moved = transform(smooth, 90, 120, [0.7, 0.2, -5, -0.1, 0.9, 8]);
    for (const [name, picture] of Object.entries({ smooth, moved }) as [string, Picture][]) {
      const size = picture.width * picture.height;
      const wanted = expected.get(name)?.data.subarray(i * size, (i + 1) * size);
      deepStrictEqual(Float32Array.from(picture.pixels), Float32Array.from(wanted ?? []), `${name} ${i}`);
    }
  }
});

interface Written {
  text: string;
  written: string;
  options: Record<string, string>;
  boxes: [number, number, number, number][];
  shape: [number, number];
  ink: number[];
}

for (const { text, written, options, boxes, shape, ink } of goldenJson<Written[]>("written.json")) {
  test(`"${text}" is written as by the Python package`, () => {
    const { pen } = load("best");
    const numbers = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, Number(value)]));
    const done = write(text, pen, { ...numbers, seed: BigInt(options.seed) });
    strictEqual(done.text, written);
    deepStrictEqual([done.height, done.width], shape);
    deepStrictEqual(done.boxes, boxes);
    const apart = done.ink.map((value, i) => Math.abs(value - ink[i]));
    // Pillow drops fractions. Where a value is just below a whole number in one of the two and not in the other, they
    // differ by one level; at the steep edge of a large digit, this one level becomes several.
    const steepness = (0.58 * done.height) / 20 / 0.9;
    ok(Math.max(...apart) <= Math.max(1, steepness), `grey levels are up to ${Math.max(...apart)} apart`);
    ok(apart.filter((one) => one > 1).length < apart.length / 1000, "more than one in a thousand differs");
  });
}

test("the classifier is the Python package's", () => {
  const expected = golden("classified");
  const classifier = new Classifier(new Workspace(), DIGIT, golden("classifier"));
  const images = (expected.get("images")?.data ?? new Float32Array()).map((x) => x / 255);
  const wanted = expected.get("probabilities")?.data ?? new Float32Array();
  const found = classifier.probabilities(images).flatMap((row) => Array.from(row));
  strictEqual(found.length, wanted.length);
  found.forEach((p, i) => {
    ok(Math.abs(p - wanted[i]) < 1e-4, `${i}: ${p}, not ${wanted[i]}`);
  });
});

test("100 steps find a latent that draws real digits, and those drawn by the generator nearly to the pixel", () => {
  const { ws, generator } = load("best", 1);
  const dImages = ws.allocate(784);
  const images = golden("classified").get("images")?.data ?? new Float32Array();
  const labels = golden("classified").get("labels")?.data ?? new Float32Array();
  const errors: number[] = [];
  for (let i = 0; i < 8; i++) {
    const pixels = images.subarray(i * 784, (i + 1) * 784).map((x) => x / 255);
    const path = [...invert(ws, generator, dImages, [{ pixels, label: labels[i] }])];
    strictEqual(path.length, 100);
    errors.push(path[99].error);
    ok(lengthOf(path[99].latent) < 12);
  }
  const mean = errors.reduce((a, b) => a + b) / errors.length;
  ok(mean < 0.006, `mean squared error ${mean}`); // the variance within a class is 0.05
});

/** A small generator with random weights that draws `batch` images at once. */
function small(batch: number): { ws: Workspace; generator: Generator } {
  const ws = new Workspace();
  const description = { image: DIGIT, classes: 10, latent: 16, channels: 8, slope: 0.1 };
  const generator = new Generator(ws, description, batch, false);
  const source = new Philox(1, Stream.INITIALISATION);
  generator.parameters.initialise(() => source.normal32());
  return { ws, generator };
}

test("a hand is found from more drawings than the generator draws at once as if it drew them all", () => {
  const drawings = Array.from({ length: 5 }, (_, label) => ({
    label,
    pixels: Float32Array.from({ length: 784 }, (_, i) => (i % (label + 2) ? 0 : 1)),
  }));
  const [few, many] = [2, 8].map((batch) => {
    const { ws, generator } = small(batch);
    const dImages = ws.allocate(batch * 784);
    const used = ws.allocate(0);
    const last = [...invert(ws, generator, dImages, drawings, 20)][19];
    strictEqual(ws.allocate(0), used); // nothing is reserved that is never freed
    return { ...last, image: toUint8(ws.view(generator.images, 784)) };
  });
  ok(lengthOf(many.latent) > 0.1);
  ok(lengthOf(many.latent.map((x, i) => x - few.latent[i])) < 1e-3, `${few.latent} is not ${many.latent}`);
  ok(Math.abs(few.error - many.error) < 1e-5);
  ok(many.image.every((x, i) => Math.abs(x - few.image[i]) <= 1));
});

test("a latent is unlike the usual ones if it is a quarter longer than the root of its size", () => {
  for (const size of [1, 64, 2048]) {
    const latent = new Float32Array(size).fill(1.24);
    deepStrictEqual([isUnlike(latent), isUnlike(latent.fill(1.26))], [false, true]);
  }
});

test("what cannot be drawn or written is told", () => {
  const { generator } = small(2);
  for (const label of [10, -1, Number.NaN]) {
    throws(() => generator.forward(new Float32Array(16), [label]), /there is no label .*Labels are 0 to 9/);
  }
  const pen = { latent: 16, height: 28, width: 28, draw: () => new Uint8Array(0) };
  for (const text of ["7a", "", "  ", "1".repeat(65)]) {
    throws(() => write(text, pen), /cannot be written\. Write 1 to 64 of 0123456789/);
  }
});

test("a model whose ten classes are not the digits in their order does not write", () => {
  const description = { image: DIGIT, classes: 10, latent: 16, channels: 8, slope: 0.1 };
  const digits = [..."0123456789"];
  strictEqual(canWrite({ ...description, names: digits }), true);
  for (const names of [[...digits].reverse(), [..."abcdefghij"], []]) {
    strictEqual(canWrite({ ...description, names }), false);
  }
  strictEqual(canWrite(description), false);
  strictEqual(canWrite({ ...description, names: digits, image: { ...DIGIT, channels: 3 } }), false);
});

test("a drawing becomes 20 pixels high with its centre of mass in the middle", () => {
  const ink = new Float32Array(300 * 200);
  for (let y = 40; y < 140; y++) {
    for (let x = 200; x < 230; x++) {
      ink[y * 300 + x] = 1;
    }
  }
  const small = inFormOfMnist(ink, 300, 200) ?? new Float32Array();
  const inkedRows = Array.from({ length: 28 }, (_, y) => small.subarray(y * 28, (y + 1) * 28).some((v) => v > 0.5));
  strictEqual(inkedRows.filter(Boolean).length, 20);
  strictEqual(inkedRows.indexOf(true), 4);
  ok(Math.abs(small.reduce((a, b) => a + b) - 20 * 6) < 1);
  strictEqual(inFormOfMnist(new Float32Array(100), 10, 10), null);
});
