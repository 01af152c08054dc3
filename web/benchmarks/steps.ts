/**
 * Measure the steps of `fast` per second, and its memory.
 * Usage: node build/benchmarks/steps.mjs [kernel] [batch] [seconds]
 */

import { Trainer } from "../src/trainer";
import { type Kernel, Workspace } from "../src/workspace";

const [kernel = new Workspace().kernel, batch = "32", seconds = "10"] = process.argv.slice(2);
const pixels = Uint8Array.from({ length: 784 * 300 }, (_, i) => (i % 7 === 0 ? 255 : 0));
const labels = Uint8Array.from({ length: 300 }, (_, i) => i % 10);
const data = { image: { height: 28, width: 28, channels: 1 }, pixels, labels, classes: 10 };
const trainer = new Trainer({ data, batch: Number(batch), kernel: kernel as Kernel });
for (let i = 0; i < 3; i++) {
  trainer.next();
}
const started = performance.now();
const before = process.cpuUsage();
let steps = 0;
while (performance.now() - started < Number(seconds) * 1000) {
  trainer.next();
  steps++;
}
const rate = (1000 * steps) / (performance.now() - started);
const used = process.cpuUsage(before);
const perSecond = (1e6 * steps) / (used.user + used.system); // the rate on an otherwise idle core
console.log(
  `${kernel}, batch ${batch}: ${rate.toFixed(2)} steps/s, ${perSecond.toFixed(2)} by processor time, ${(trainer.workspace.floats.length / 2 ** 18).toFixed(0)} MiB`,
);
