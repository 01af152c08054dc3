/** What golden/make.py computed with the Python package. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensors } from "../src/parameters";
import { readSafetensors } from "../src/safetensors";

const folder = join(process.cwd(), "build", "golden");

export function golden(name: string): Tensors {
  return readSafetensors(new Uint8Array(readFileSync(join(folder, `${name}.safetensors`))));
}

export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
}
