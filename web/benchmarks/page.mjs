/**
 * Measures the page while it learns, in real browsers, from file://: steps per second, the quality after a minute, the
 * longest tasks of the main thread, and memory. Usage, after `npm run page`:
 * node benchmarks/page.mjs [minutes] [chrome|firefox]
 *
 * Other programs distort times by the clock, so speed and tasks are measured in processor time: that of the worker that
 * learns, and that of the main thread. On an idle machine both agree with the clock. Linux only (/proc).
 */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

const here = fileURLToPath(new URL("..", import.meta.url));
const [minutes = "10", only = ""] = process.argv.slice(2);
const SECONDS = { chrome: 60, firefox: 20 }; // of learning
const IMAGES = 2000;
const BATCH = 32;
const TICKS = 100; // per second, in /proc
const WORKERS = /^(DedicatedWorker|DOM Worker)/;
const browsers = {
  chrome: process.env.CHROMIUM ?? "/usr/bin/chromium",
  firefox: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
};

console.log(`${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores of ${cpus()[0].model}`);
for (const [name, executablePath] of Object.entries(browsers)) {
  if (existsSync(executablePath) && (!only || only === name)) {
    await measure(name, executablePath);
  }
}

async function measure(name, executablePath) {
  const args = name === "chrome" ? ["--no-sandbox"] : [];
  const browser = await puppeteer.launch({ browser: name, executablePath, args, headless: true, protocolTimeout: 0 });
  try {
    console.log(`\n${await browser.version()}, load ${loadavg()[0].toFixed(1)}`);
    await learns(browser, name);
    await stays(browser, name, Number(minutes) * 60);
  } finally {
    await browser.close();
  }
}

/** Measure the steps of `fast` per second and, in Chromium, the quality of its images after a minute. */
async function learns(browser, name) {
  const page = await open(browser);
  await page.evaluate(async (batch) => {
    const inkgan = await window.inkgan;
    window.trainer = await inkgan.trainer({ batch });
    await window.trainer.step();
    window.trainer.run();
  }, BATCH);
  const [began, clock] = [processorTime(browser, WORKERS), performance.now()];
  const first = await page.evaluate(() => window.trainer.steps);
  let used = 0;
  while (used < SECONDS[name] && !(await page.evaluate(() => window.trainer.complete))) {
    await rest(200);
    if (!browser.connected) {
      throw new Error("the browser has ended");
    }
    used = busiest(began, processorTime(browser, WORKERS));
  }
  const steps = (await page.evaluate(() => window.trainer.pause().then(() => window.trainer.steps))) - first;
  const passed = (performance.now() - clock) / 1000;
  console.log(
    `${steps} steps of batch ${BATCH} in ${used.toFixed(1)} s of processor time: ${(steps / used).toFixed(2)} steps/s; ` +
      `${passed.toFixed(0)} s by the clock, load ${loadavg()[0].toFixed(1)}`,
  );
  if (name === "chrome") {
    evaluate(await page.evaluate(draw, IMAGES));
  }
  await page.close();
}

/** Runs in the page: draw images of `count` writers with the trained generator, each as bytes in base64. */
async function draw(count) {
  const inkgan = await window.inkgan;
  const hands = await Promise.all(Array.from({ length: count }, (_, writer) => inkgan.hand(0, writer)));
  const { length } = hands[0].latent;
  const latents = new Float32Array(count * length);
  for (const [i, { latent }] of hands.entries()) {
    latents.set(latent, i * length);
  }
  const pixels = await window.trainer.draw(
    latents,
    Array.from({ length: count }, (_, i) => i % 10),
  );
  return Array.from({ length: count }, (_, i) => btoa(String.fromCharCode(...pixels.subarray(i * 784, (i + 1) * 784))));
}

function evaluate(images) {
  const pixels = Buffer.concat(images.map((one) => Buffer.from(one, "base64")));
  const described = `{'descr': '|u1', 'fortran_order': False, 'shape': (${images.length}, 28, 28), }`.padEnd(117);
  const header = Buffer.from(`\x93NUMPY\x01\x00v\x00${described}\n`, "latin1");
  const file = `${here}build/drawn.npy`;
  writeFileSync(file, Buffer.concat([header, pixels]));
  const python = process.env.PYTHON ?? `${here}../.venv/bin/python`;
  const told = execFileSync(python, ["-m", "inkgan", "evaluate", file], { encoding: "utf8" });
  console.log(told.match(/Fréchet digit distance [^,]*/s)?.[0].replace(/\s+/g, " "));
}

/** Measure memory in the view "Learn", and before that, in Chromium, the longest tasks as it opens and as it learns. */
async function stays(browser, name, seconds) {
  let page;
  if (name === "chrome") {
    page = await browser.newPage();
    await traced(page, "while the page opens", () => show(page));
    await traced(page, "in a minute of learning", () => learnFor(page, 60_000));
  } else {
    page = await open(browser);
    await learnFor(page, 0);
  }
  const samples = [];
  for (let done = 0; done <= seconds; done += 30) {
    samples.push(memory(browser));
    await rest(30_000);
    await startAgainIfComplete(page);
  }
  const steps = await page.$eval(".figures b", (one) => one.textContent);
  const [early, late] = [samples.slice(0, 5), samples.slice(-5)].map(
    (some) => some.reduce((a, b) => a + b) / some.length,
  );
  console.log(
    `memory of the page's process over ${seconds / 60} minutes, ${steps} steps since the start of its last run: ${early.toFixed(0)} MB in the first ` +
      `two minutes, ${late.toFixed(0)} MB in the last two, at most ${Math.max(...samples).toFixed(0)} MB`,
  );
  await page.close();
}

/** Print how long the longest task of the main thread took during an action. */
async function traced(page, when, act) {
  await page.tracing.start({ categories: ["toplevel"] });
  await act();
  const tasks = tasksOfMain(JSON.parse(Buffer.from(await page.tracing.stop()).toString()).traceEvents);
  const longest = (key) => (Math.max(...tasks.map((task) => task[key] ?? 0)) / 1000).toFixed(0);
  console.log(
    `${tasks.length} tasks of the main thread ${when}: the longest took ${longest("tdur")} ms of processor time, ` +
      `${longest("dur")} ms by the clock; load ${loadavg()[0].toFixed(1)}`,
  );
}

async function learnFor(page, milliseconds) {
  await page.click("#panel-3 button.main");
  await rest(milliseconds);
}

async function startAgainIfComplete(page) {
  const [run, , , , again] = await page.$$("#panel-3 .buttons button");
  if (await run.evaluate((one) => one.classList.contains("main"))) {
    await again.click();
    await run.click();
  }
}

function tasksOfMain(events) {
  const names = events.filter((one) => one.name === "thread_name" && one.args.name === "CrRendererMain");
  const mains = new Set(names.map((one) => `${one.pid}/${one.tid}`));
  return events.filter((one) => /RunTask$/.test(one.name) && one.ph === "X" && mains.has(`${one.pid}/${one.tid}`));
}

async function open(browser) {
  const page = await browser.newPage();
  await show(page);
  return page;
}

async function show(page) {
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(`file://${here}build/page.html#learn&lang=en`);
  await page.waitForSelector("#panel-3 button.main", { timeout: 120_000 });
}

/** The processes of a browser: itself, and those that it started. */
function processes(browser) {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => [Number(pid), Number(fields(`/proc/${pid}/stat`)[1])]);
  const found = new Set([browser.process().pid]);
  for (let size = 0; size < found.size; ) {
    size = found.size;
    for (const [pid, parent] of parents) {
      if (found.has(parent)) {
        found.add(pid);
      }
    }
  }
  return [...found];
}

/** The fields of a process or thread in /proc after its name, which may hold spaces; empty if it has ended. */
function fields(file) {
  try {
    return readFileSync(file, "utf8").split(") ").at(-1).split(" ");
  } catch {
    return [];
  }
}

/** Seconds of processor time by thread number, for the threads whose name matches. */
function processorTime(browser, name) {
  const times = new Map();
  for (const pid of processes(browser)) {
    for (const thread of existsSync(`/proc/${pid}/task`) ? readdirSync(`/proc/${pid}/task`) : []) {
      const stat = fields(`/proc/${pid}/task/${thread}/stat`);
      if (stat.length && name.test(readFileSync(`/proc/${pid}/task/${thread}/comm`, "utf8"))) {
        times.set(thread, (Number(stat[11]) + Number(stat[12])) / TICKS);
      }
    }
  }
  return times;
}

/** The largest increase of a thread's processor time, in seconds. */
function busiest(before, now) {
  return Math.max(0, ...[...now].map(([thread, time]) => time - (before.get(thread) ?? 0)));
}

/** The memory of the largest of a browser's page processes, in MB. */
function memory(browser) {
  const sizes = processes(browser)
    .filter((pid) => /--type=renderer|-isForBrowser/.test(about(pid, "cmdline")))
    .map((pid) => Number(about(pid, "status").match(/VmRSS:\s+(\d+)/)?.[1] ?? 0));
  return Math.max(...sizes) / 1000;
}

/** A file of /proc about a process; empty if it has just ended. */
function about(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function rest(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}
