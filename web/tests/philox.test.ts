import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { test } from "node:test";
import { BatchOrder, latents, Philox, Stream } from "../src/philox";
import { golden, goldenJson } from "./golden";

interface Vectors {
  seed: string;
  stream: number;
  index: number;
}

const keys = goldenJson<Vectors[]>("philox.json");

for (const [number, { seed, stream, index }] of keys.entries()) {
  const make = () => new Philox(BigInt(seed), stream, index);
  const array = (name: string) => golden("philox").get(`${number}.${name}`)?.data ?? new Float32Array();

  test(`float32 normals of seed ${seed}, stream ${stream}, index ${index} are NumPy's`, () => {
    strictEqual(array("normals32").length, 10_000);
    deepStrictEqual(make().normals32(10_000), array("normals32"));
  });

  test(`integers of seed ${seed} are NumPy's`, () => {
    const source = make();
    for (const count of [10, 3, 1000]) {
      deepStrictEqual(
        Float32Array.from({ length: 1000 }, () => source.integer(count)),
        array(`integers${count}`),
      );
    }
    deepStrictEqual(Float32Array.from(make().permutation(2000)), array("permutation"));
  });
}

test("doubles are NumPy's to the last bit, normal doubles to the rounding of the strips", () => {
  const expected = goldenJson<{ doubles: string[]; normals: string[]; mixed: string[] }>("doubles.json");
  const source = new Philox(5, 11, 2);
  deepStrictEqual(
    Array.from({ length: 10_000 }, () => source.double()),
    expected.doubles.map(Number),
  );
  const normals = new Philox(6, 11, 2);
  strictEqual(expected.normals.length, 10_000);
  for (const [i, wanted] of expected.normals.entries()) {
    const x = normals.normal();
    ok(Math.abs(x - Number(wanted)) <= 1e-13 * Math.abs(x), `${i}: ${x} is not ${wanted}`);
  }
});

test("draws of several kinds follow each other as NumPy's do", () => {
  const expected = goldenJson<{ mixed: string[] }>("doubles.json").mixed.map(Number);
  const source = new Philox(7, 11, 0);
  const drawn = [
    source.integer(10),
    source.normal32(),
    source.double(),
    source.integer(10),
    source.normal32(),
    source.uniform(0.07, 0.13),
  ];
  deepStrictEqual(drawn, expected);
});

test("the order of batches is the Python package's, over an epoch's end", () => {
  const order = new BatchOrder(3, 100, 32);
  const drawn = Array.from({ length: 8 }, (_, i) => Array.from(order.batch(i)));
  deepStrictEqual(drawn, goldenJson<number[][]>("batches.json"));
});

test("latents are those of inkgan.seeds", () => {
  const expected = golden("philox").get("latents")?.data;
  deepStrictEqual(latents(4, Stream.SAMPLE_LATENTS, 12, 2, 64), expected);
});
