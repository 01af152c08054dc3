// Builds the page, and with --tests the unit tests, into build/. The same sources give the same bytes.

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const here = new URL(".", import.meta.url).pathname;
const tests = process.argv.includes("--tests");

function kernels() {
  mkdirSync(`${here}build`, { recursive: true });
  for (const [name, features] of [
    ["simd", "simd"],
    ["relaxed", "simd,relaxed-simd"],
  ]) {
    execFileSync(
      process.execPath,
      [
        "node_modules/assemblyscript/bin/asc.js",
        "src/kernel/kernel.ts",
        "--outFile",
        `build/kernel_${name}.wasm`,
        "--runtime",
        "stub",
        "--importMemory",
        "--noAssert",
        "-O3",
        "--converge",
        "--enable",
        features,
      ],
      { cwd: here, stdio: "inherit" },
    );
  }
}

export const options = {
  absWorkingDir: here,
  bundle: true,
  loader: { ".wasm": "binary", ".css": "text" },
  legalComments: "none",
  charset: "utf8",
};

async function buildForNode(folder) {
  rmSync(`${here}build/${folder}`, { recursive: true, force: true });
  const entryPoints = readdirSync(`${here}${folder}`)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${folder}/${name}`);
  await build({
    ...options,
    entryPoints,
    outdir: `build/${folder}`,
    platform: "node",
    format: "esm",
    target: "node20",
    outExtension: { ".js": ".mjs" },
    sourcemap: "inline",
  });
}

kernels();
if (tests) {
  await buildForNode("tests");
  await buildForNode("benchmarks");
}
