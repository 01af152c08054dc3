/**
 * Train `fast` on the page's digits, and write 2,000 drawings to build/drawn.raw: uint8 [2000, 28, 28], the digits in
 * turn. Usage: node build/benchmarks/learn.mjs [steps] [batch], after benchmarks/make_page.py
 */

import { readFileSync, writeFileSync } from "node:fs";
import { unpackDigits } from "../src/digits";
import { latents, Stream } from "../src/philox";
import { toUint8 } from "../src/rounding";
import { Trainer } from "../src/trainer";

const [steps = "300", batch = "32"] = process.argv.slice(2);
const trainer = new Trainer({
  data: unpackDigits(new Uint8Array(readFileSync("build/digits.bin"))),
  batch: Number(batch),
});
const before = process.cpuUsage();
for (let step = 0; step < Number(steps); step++) {
  const figures = trainer.next();
  if (step % 50 === 0 || !figures.finite) {
    console.log(step, figures.lossDiscriminator.toFixed(3), figures.lossGenerator.toFixed(3), figures.finite);
  }
}
const used = process.cpuUsage(before);
console.log(`${(used.user + used.system) / 1e6} s of processor time`);
const labels = Array.from({ length: 2000 }, (_, i) => i % 10);
const images = trainer.draw(latents(0, Stream.MEASURED_LATENTS, 0, 2000, 64), labels);
writeFileSync("build/drawn.raw", toUint8(images));
