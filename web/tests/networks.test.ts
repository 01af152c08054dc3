import { deepStrictEqual, ok, strictEqual, throws } from "node:assert";
import { test } from "node:test";
import type { Description } from "../src/description";
import { Discriminator } from "../src/discriminator";
import { drawingBatch, Generator } from "../src/generator";
import type { Tensors } from "../src/parameters";
import { Philox } from "../src/philox";
import { type Kernel, rows, transposed, Workspace } from "../src/workspace";
import { golden, goldenJson } from "./golden";

/** Assert that the length of the difference is at most `within` of the length of the expected numbers. */
function near(actual: Float32Array, expected: Float32Array | undefined, what: string, within = 1e-5): void {
  ok(expected && actual.length === expected.length, `${what}: ${actual.length} numbers, not ${expected?.length}`);
  const norm = (x: ArrayLike<number>) => Math.sqrt(Array.from(x).reduce((sum, y) => sum + y * y, 0));
  const error = norm(actual.map((x, i) => x - expected[i])) / Math.max(norm(expected), 1e-6);
  ok(error <= within, `${what}: off by ${error} of its length`);
}

function part(tensors: Tensors, prefix: string): Tensors {
  const entries = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(entries.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

const kernels: Kernel[] = ["SIMD", "JavaScript"];
if (new Workspace().kernel === "relaxed SIMD") {
  kernels.push("relaxed SIMD");
}

for (const kernel of kernels) {
  test(`products by ${kernel}, of sizes that fit no tile, of transposes, and added`, () => {
    for (const [m, n, k] of [
      [1, 1, 1],
      [5, 9, 3],
      [4, 8, 300],
      [7, 530, 2],
      [13, 20, 515],
      [3, 8, 1],
    ]) {
      const ws = new Workspace(kernel);
      const source = new Philox(1, 0, m);
      const [a, b, c] = [m * k, k * n, m * n].map((count) => ws.allocateFrom(source.normals32(count)));
      const after = ws.allocateFrom([7, 7, 7, 7, 7, 7, 7, 7]);
      const before = ws.view(c, m * n).slice();
      const sum = (i: number, j: number, at: (p: number) => [number, number]) => {
        let total = 0;
        for (let p = 0; p < k; p++) {
          const [x, y] = at(p);
          total += ws.floats[a + x] * ws.floats[b + y];
        }
        return total + (i + j) * 0;
      };
      const all = (at: (i: number, j: number) => (p: number) => [number, number]) =>
        Float32Array.from({ length: m * n }, (_, place) => {
          const [i, j] = [Math.floor(place / n), place % n];
          return sum(i, j, at(i, j));
        });
      const plain = all((i, j) => (p) => [i * k + p, p * n + j]);
      ws.kernels.product(m, n, k, rows(a, k), rows(b, n), c, true);
      near(
        ws.view(c, m * n).slice(),
        plain.map((x, i) => x + before[i]),
        `${m} ${n} ${k} added`,
      );
      ws.kernels.product(m, n, k, rows(a, k), rows(b, n), c, false);
      near(ws.view(c, m * n).slice(), plain, `${m} ${n} ${k}`);
      ws.kernels.product(m, n, k, transposed(a, m), transposed(b, k), c, false);
      near(
        ws.view(c, m * n).slice(),
        all((i, j) => (p) => [p * m + i, j * k + p]),
        `${m} ${n} ${k} transposed`,
      );
      ok(
        ws.view(after, 8).every((x) => x === 7),
        "nothing beyond the end was written",
      );
    }
  });
}

test("what does not fit into the memory is refused in a sentence, and what fits afterwards is given", () => {
  const ws = new Workspace();
  const before = ws.allocate(0);
  throws(() => ws.allocate(2 ** 28), /^Error: this needs more than 1 GB of memory: give a smaller batch or smaller i/);
  strictEqual(ws.allocate(8), before);
});

test("images of all sizes are drawn in batches that fit into the memory", () => {
  const sizes = [28, 64, 128, 256, 500].map((side) => drawingBatch({ height: side, width: side, channels: 1 }));
  deepStrictEqual(sizes, [20, 20, 5, 1, 1]);
  strictEqual(drawingBatch({ height: 32, width: 256, channels: 3 }), 10);
  const image = { height: 256, width: 256, channels: 3 };
  const description = { image, classes: 100, latent: 64, channels: 96, slope: 0.2 };
  const generator = new Generator(new Workspace(), description, drawingBatch(image), false);
  ok(generator.images > 0);
});

const shapes = goldenJson<Record<string, [[number, number, number], number, number, number, number]>>("shapes.json");
for (const [name, [[height, width, channels], classes, latent, coarsest, slope]] of Object.entries(shapes)) {
  const description: Description = { image: { height, width, channels }, classes, latent, channels: coarsest, slope };
  const labels = Array.from({ length: 5 }, (_, i) => (classes ? i % classes : 0));

  test(`the generator for ${name} is PyTorch's, forward and backward`, () => {
    const expected = golden(`networks-${name}`);
    const data = (key: string) => expected.get(key)?.data ?? new Float32Array();
    const ws = new Workspace();
    const generator = new Generator(ws, description, 6, true);
    generator.parameters.read(part(expected, "generator."));
    generator.forward(data("latents"), labels);
    near(ws.view(generator.images, 5 * generator.imageNumbers).slice(), data("images"), "images");
    const dLatents = generator.backward(5, ws.allocateFrom(data("towards")));
    near(dLatents, data("d.latents"), "latents");
    for (const [key, tensor] of generator.parameters.write(generator.parameters.gradients)) {
      near(tensor.data, data(`d.generator.${key}`), key);
    }
  });

  test(`the discriminator for ${name} is PyTorch's, with the gradient of its penalty`, () => {
    const expected = golden(`networks-${name}`);
    const data = (key: string) => expected.get(key)?.data ?? new Float32Array();
    const ws = new Workspace();
    const discriminator = new Discriminator(ws, description, 5);
    discriminator.parameters.read(part(expected, "discriminator."));
    discriminator.forward(5, ws.allocateFrom(data("given")));
    near(discriminator.logits(labels, 5), data("logits"), "logits");
    const total = discriminator.addPenalty(5, labels, 0.3);
    near(ws.view(discriminator.dImages, data("slopes").length).slice(), data("slopes"), "slopes");
    near(Float32Array.of(0.15 * total), data("penalty"), "penalty");
    for (const [key, tensor] of discriminator.parameters.write(discriminator.parameters.gradients)) {
      near(tensor.data, data(`d.discriminator.${key}`), key);
    }
  });
}
