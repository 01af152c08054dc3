import { deepStrictEqual, ok, strictEqual, throws } from "node:assert";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { digitsOfFiles, unpackDigits } from "../src/digits";
import { diagnose, spreadOf } from "../src/doctor";
import { outline } from "../src/outline";
import { histogram, lines, tick } from "../src/page/charts";
import { grouped, say, tell } from "../src/page/texts";
import { today, wrongWith } from "../src/page/write";
import { unpackReplay } from "../src/replay";

test("packed digits come out as sixteen grey levels", () => {
  const bytes = new Uint8Array(2 * 393);
  bytes.set([7, 3]); // labels
  bytes.set([0x0f, 0xa1], 2);
  const { pixels, labels } = unpackDigits(bytes);
  deepStrictEqual(Array.from(labels ?? []), [7, 3]);
  deepStrictEqual(Array.from(pixels.subarray(0, 5)), [0, 255, 170, 17, 0]);
  strictEqual(pixels.length, 2 * 784);
});

test("a replay has the steps and the grids of two runs", () => {
  const packed = Uint8Array.from([0x0f, 0xa1, 0x22, 0x33, 0x44, 0x5f]);
  const line = new TextEncoder().encode('{"tutorial":[1000],"fast":[0,50]}\n');
  const { tutorial, fast } = unpackReplay(Uint8Array.from([...line, ...packed]));
  deepStrictEqual([tutorial.steps, fast.steps], [[1000], [0, 50]]);
  deepStrictEqual(Array.from(tutorial.pixels), [0, 255, 170, 17]);
  deepStrictEqual(Array.from(fast.pixels), [34, 34, 51, 51, 68, 68, 85, 255]);
});

function idx(shape: number[], data: number[]): Uint8Array {
  const sizes = shape.flatMap((size) => [0, 0, size >> 8, size & 255]);
  return Uint8Array.from([0, 0, 8, shape.length, ...sizes, ...data]);
}

test("MNIST's two files are read in any order, and others are refused", () => {
  const images = idx(
    [2, 28, 28],
    Array.from({ length: 1568 }, (_, i) => i % 251),
  );
  const labels = idx([2], [4, 9]);
  for (const files of [
    [images, labels],
    [labels, images],
  ]) {
    const data = digitsOfFiles(files);
    deepStrictEqual(Array.from(data.labels ?? []), [4, 9]);
    strictEqual(data.pixels[1000], 1000 % 251);
  }
  const refused = (files: Uint8Array[], fault: string, values: Record<string, number> = {}) =>
    throws(() => digitsOfFiles(files), { fault, values });
  refused([images], "pair");
  refused([images, idx([3], [1, 2, 3])], "pair");
  refused([images, labels, images, labels], "pair"); // all four of MNIST's: two would be ignored
  refused([images.subarray(0, 900), labels], "length");
  refused([images.subarray(0, 12), labels], "length"); // half its header
  refused([Uint8Array.from([80, 75, 3, 4, 0, 0, 0, 0]), labels], "format");
  refused([images, idx([2], [4, 10])], "label", { label: 10 });
  refused([idx([0, 28, 28], []), idx([0], [])], "none");
  refused([idx([1, 2, 3], [1, 2, 3, 4, 5, 6]), idx([1], [4])], "size", { height: 2, width: 3 });
});

test("the chart of losses has two dots for the first step of a training, and lines from the second on", () => {
  const style = { getPropertyValue: () => "#123456" };
  Object.assign(globalThis, { document: {}, devicePixelRatio: 1, getComputedStyle: () => style });
  const drawn = (series: number[][]) => {
    const calls: string[] = [];
    const pen = new Proxy({}, { get: (_, name) => () => calls.push(String(name)) });
    lines({ clientWidth: 400, getContext: () => pen } as unknown as HTMLCanvasElement, series);
    return ["arc", "lineTo"].map((name) => calls.filter((call) => call === name).length);
  };
  const axes = 3;
  deepStrictEqual(drawn([[], []]), [0, axes]);
  deepStrictEqual(drawn([[0.7], [0.7]]), [2, axes]);
  deepStrictEqual(
    drawn([
      [0.7, 0.8],
      [0.7, 0.6],
    ]),
    [0, axes + 4],
  );
});

test("today is the reader's day, and not that of Greenwich", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: Date.UTC(2026, 10, 29, 20) });
  const zone = process.env.TZ;
  process.env.TZ = "Asia/Shanghai";
  strictEqual(today(), "2026-11-30");
  process.env.TZ = "America/New_York";
  strictEqual(today(), "2026-11-29");
  process.env.TZ = zone ?? "UTC";
});

test("characters that cannot be written are named, also those that cannot be seen", () => {
  strictEqual(wrongWith("12:30 d"), null);
  deepStrictEqual(wrongWith("x12\u00a0345\u200b,\u202f6x\t"), [
    "writeStrange",
    { characters: "x U+00A0 U+200B U+202F U+0009" },
  ]);
});

test("a sentence that a node shows already is not set again, which would be read out again", () => {
  const set: string[] = [];
  const node = {
    get textContent() {
      return set.at(-1) ?? "";
    },
    set textContent(text: string) {
      set.push(text);
    },
  } as unknown as Node;
  say(node, "steps");
  say(node, "steps");
  tell(node, null);
  tell(node, null);
  say(node, "steps");
  deepStrictEqual(set, ["Steps", "", "Steps"]);
});

test("whole numbers have a comma between thousands", () => {
  deepStrictEqual([0, 999, 2500, 100_000].map(grouped), ["0", "999", "2,500", "100,000"]);
});

test("numbers of an axis fit beside it, whatever they are", () => {
  const shown = [0, 5.44, 999.9, 12_268, -12_268, 9_999_999, 1e99].map(tick);
  deepStrictEqual(shown, ["0.0", "5.4", "999.9", "1.2e4", "-1.2e4", "1.0e7", "1.0e99"]);
  ok(shown.every((one) => one.length <= 6));
});

test("a histogram has shares of all values, and those outside are at its ends", () => {
  deepStrictEqual(histogram([-9, -1, 0, 0.5, 9, 8, -0.5, 1], -1, 1, 2), [3 / 8, 5 / 8]);
  deepStrictEqual(histogram([], -1, 1, 2), [0, 0]);
});

test("the spread is the mean squared distance within a class", () => {
  strictEqual(spreadOf([0, 0, 2, 0, 9, 9], [1, 1, 0]), 2);
  strictEqual(spreadOf([1, 2], [0, 1]), 0);
});

test("each sign has its verdict, the gravest first", () => {
  const healthy = { step: 400, finite: true, margin: 1, spread: 0.8, agreement: 0.9 };
  strictEqual(diagnose(healthy), "healthy");
  strictEqual(diagnose({ ...healthy, step: 10, spread: 0 }), "waiting");
  strictEqual(diagnose({ ...healthy, step: 10, finite: false }), "diverged");
  strictEqual(diagnose({ ...healthy, margin: 30 }), "overpowered");
  strictEqual(diagnose({ ...healthy, margin: 30, spread: 0.01 }), "collapsed");
  strictEqual(diagnose({ ...healthy, margin: -3 }), "fooled");
  strictEqual(diagnose({ ...healthy, agreement: 0.1 }), "labels");
  strictEqual(diagnose({ ...healthy, step: 100, agreement: 0.1 }), "healthy");
});

/** The area that closed lines enclose, without holes. */
function areaOf(path: string): number {
  let total = 0;
  for (const one of path.split("Z").filter(Boolean)) {
    const points = one
      .slice(1)
      .split("L")
      .map((point) => point.split(",").map(Number));
    points.forEach(([x, y], i) => {
      const [nextX, nextY] = points[(i + 1) % points.length];
      total += (x * nextY - nextX * y) / 2;
    });
  }
  return Math.abs(total);
}

test("the outline of a square with a hole encloses their difference", () => {
  const ink = new Uint8Array(400);
  for (let y = 3; y < 15; y++) {
    for (let x = 4; x < 16; x++) {
      ink[y * 20 + x] = x > 7 && x < 12 && y > 6 && y < 11 ? 0 : 255;
    }
  }
  const path = outline(ink, 20, 20);
  strictEqual(path.split("Z").length - 1, 2);
  ok(Math.abs(areaOf(path) - (144 - 16)) < 1.5, `area ${areaOf(path)}`);
  strictEqual(outline(new Uint8Array(100), 10, 10), "");
});

test("two squares that touch at a corner are outlined wholly", () => {
  const ink = new Uint8Array(36);
  for (const place of [7, 14]) {
    ink[place] = 255;
  }
  ok(Math.abs(areaOf(outline(ink, 6, 6)) - 1) < 0.6);
});

test("the scripts work in a folder with any name", (context) => {
  const folder = mkdtempSync(`${realpathSync(tmpdir())}/my 项目-`);
  context.after(() => rmSync(folder, { recursive: true }));
  cpSync("golden", `${folder}/golden`, { recursive: true });
  const environment = { ...process.env, PYTHON: "echo" }; // says which script it is to run
  const said = execFileSync(process.execPath, [`${folder}/golden/run.mjs`], { env: environment, encoding: "utf8" });
  strictEqual(said, `${folder}/golden/make.py\n`);
});
