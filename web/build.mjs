// Builds the page and writes it to src/inkgan/exporting/page.html. With --tests it builds the unit tests and benchmarks
// into build/ instead; with --verify it fails if the written page differs. The same sources give the same bytes.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
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
  loader: { ".wasm": "binary" },
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

/** The page with its script and style inside, without a model. */
async function page() {
  const bundled = { ...options, write: false, minify: true, target: "es2021", format: "iife" };
  const worker = await build({ ...bundled, entryPoints: ["src/page/worker.ts"] });
  const source = {
    name: "worker-source",
    setup(build) {
      build.onResolve({ filter: /^worker-source$/ }, () => ({ path: "worker-source", namespace: "inkgan" }));
      build.onLoad({ filter: /.*/, namespace: "inkgan" }, () => ({
        contents: worker.outputFiles[0].text,
        loader: "text",
      }));
    },
  };
  const main = await build({ ...bundled, entryPoints: ["src/page/main.ts"], plugins: [source] });
  const css = await build({ ...bundled, entryPoints: ["src/page/style.css"] });
  const script = main.outputFiles[0].text.trim().replaceAll("</script", "<\\/script");
  const style = css.outputFiles[0].text.trim();
  const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)} 'wasm-unsafe-eval' blob:`,
    "worker-src blob:",
    `style-src ${hash(style)}`,
    "img-src 'self'", // the icon of a server
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const parts = { policy, source: sourceHash(), style, script };
  const template = readFileSync(`${here}src/page/page.html`, "utf8");
  return template.replace(/\{(policy|source|style|script)\}/g, (_, name) => parts[name]);
}

/** One hash of all that the page is made from. */
function sourceHash() {
  const hash = createHash("sha256");
  const names = readdirSync(`${here}src`, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => `${one.parentPath ?? one.path}/${one.name}`)
    .concat(`${here}build.mjs`, `${here}package-lock.json`)
    .map((name) => name.slice(here.length))
    .sort();
  for (const name of names) {
    hash
      .update(`${name}\n`)
      .update(readFileSync(here + name))
      .update("\n");
  }
  return hash.digest("hex");
}

kernels();
if (tests) {
  await buildForNode("tests");
  await buildForNode("benchmarks");
}
const built = await page();
const target = `${here}../src/inkgan/exporting/page.html`;
if (process.argv.includes("--verify")) {
  if (readFileSync(target, "utf8") !== built) {
    console.error("src/inkgan/exporting/page.html is not what these sources make. Build it: npm run build");
    process.exit(1);
  }
} else if (!tests) {
  writeFileSync(target, built);
  console.log(`src/inkgan/exporting/page.html: ${Buffer.byteLength(built)} bytes`);
}
