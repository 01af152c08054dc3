// Tests the page in real browsers, from file://. Needs build/page.html, named.html and coloured.html (npm run page).

import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { forceColours, here, inEachBrowser, overflow, violations } from "./browsers.mjs";

const shots = `${here}build/screenshots/`;
const seconds = Number(process.env.LEARN_SECONDS ?? 10);

/** Files that are not MNIST's, and a word of what the page says about each. All browsers read the same ones. */
const wrongFiles = [
  ["not-zipped.gz", "text", ["gzip"]],
  ["not-idx.gz", gzipSync("some text"), ["IDX"]],
  ["images.gz", gzipSync(Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 255])), ["together", "同时"]],
];

mkdirSync(shots, { recursive: true });
for (const [name, bytes] of wrongFiles) {
  writeFileSync(`${shots}${name}`, bytes);
}
inEachBrowser(testsIn);

/** In the page: makes each search short, and lets a test wait for a search with a number of digits. */
function watchSearches() {
  const invert = window.inkgan.invert.bind(window.inkgan);
  window.isSearched = (count) =>
    new Promise((done) => {
      window.inkgan.invert = (pixels, options) => {
        if (pixels.length === count * 784) {
          done(pixels);
        }
        return invert(pixels, { ...options, steps: 1 });
      };
    });
}

function testsIn(name, browser) {
  for (const [width, language, scheme] of [
    [1280, "en", "light"],
    [390, "zh", "dark"],
  ]) {
    test(`${width} pixels, ${language}, ${scheme}: every view, by pointer and keys`, { timeout: 300_000 }, async () => {
      const { page, heard } = await open(browser(), width, language, scheme);
      const shot = (view) =>
        page.screenshot({ path: `${shots}${name}-${width}-${language}-${view}.png`, fullPage: true });
      await writes(page);
      await shot("write");
      await looksAround(page);
      await shot("explore");
      await drawsByHand(page);
      await shot("hand");
      await learns(page);
      await shot("learn");
      for (const tab of [0, 1, 2, 3]) {
        await (await page.$$("[role=tab]"))[tab].click();
        deepStrictEqual(await violations(page), []);
      }
      strictEqual(await overflow(page), 0);
      deepStrictEqual(heard, []);
      await page.close();
    });
  }

  test("the address opens a view and chooses a language", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 390, "zh&hand", "light");
    strictEqual(await page.$eval("[aria-selected=true]", (one) => one.textContent), "你的笔迹");
    ok(await page.$("#panel-2:not([hidden]) .pad"));
    const credits = await page.$$eval("footer p[lang]", (all) => all.map((one) => [one.lang, one.checkVisibility()]));
    deepStrictEqual(credits, [
      ["en", false],
      ["zh-Hans", true],
    ]);
    // A page that shows this one may change the address later.
    await page.evaluate(() => {
      location.hash = "lang=en&explore";
    });
    await until(page, () => document.querySelector("[aria-selected=true]").textContent === "Explore");
    const offered = await page.$eval(".switches button:last-child", (one) => [one.textContent, one.lang]);
    deepStrictEqual(offered, ["中文", "zh-Hans"]);
    await page.evaluate(() => {
      location.hash = "nowhere";
    });
    strictEqual(await page.$eval("[aria-selected=true]", (one) => one.textContent), "Explore");
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("what is forgotten while its hand is searched stays forgotten", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&hand", "light");
    const [, example, , forget] = await page.$$("#panel-2 .buttons button");
    const status = () => page.$eval("#panel-2 .status", (one) => one.textContent);
    const nothing = await status();
    const name = () => page.$eval("#panel-2 .writing", (one) => one.getAttribute("aria-label"));
    strictEqual(await name(), "Nothing is written yet");
    await page.evaluate(() => {
      const invert = window.inkgan.invert.bind(window.inkgan);
      window.inkgan.invert = (...given) => {
        window.search = invert(...given);
        return window.search;
      };
    });
    await example.click();
    await until(page, `${/^Step/}.test(document.querySelector("#panel-2 .status").textContent)`);
    await forget.click();
    await page.evaluate(async () => {
      await window.search;
      await window.inkgan.read(new Float32Array(784)); // after what the view would draw now
    });
    strictEqual(await status(), nothing);
    strictEqual(await page.evaluate(`(${inked})("#panel-2 .wide")`), 0);
    await page.evaluate(() => {
      window.read = [];
      const live = document.querySelector("#panel-2 [role=status]");
      new MutationObserver(() => window.read.push(live.textContent)).observe(live, { childList: true });
    });
    await example.click();
    await until(page, () => /in handwriting/.test(document.querySelector("#panel-2 .writing").ariaLabel));
    const spoken = (await page.evaluate("window.read")).filter(Boolean);
    ok(spoken.length === 1 && /^(Step 100 of 100|This is unlike)/.test(spoken[0]), `it is read out: ${spoken}`);
    await forget.click();
    strictEqual(await name(), "Nothing is written yet");
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("once a digit is read, the view asks for none, however long its search takes", {
    timeout: 120_000,
  }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&hand", "light");
    strictEqual(await page.$eval("#panel-2 .status", (one) => one.textContent), "Draw a digit first.");
    await page.evaluate(() => {
      window.inkgan.invert = () => new Promise(() => undefined); // by a worker that never answers
      document.querySelectorAll("#panel-2 .buttons button")[1].click();
    });
    await until(page, () => document.querySelector("#panel-2 select").value !== "");
    strictEqual(await page.$eval("#panel-2 .status", (one) => one.textContent), "");
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("a drawing that is cleared while it is read is not taken", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&hand", "light");
    await page.evaluate(async () => {
      const read = window.inkgan.read.bind(window.inkgan);
      let reading;
      window.inkgan.read = (...given) => {
        reading = read(...given);
        return reading;
      };
      const [clear, example] = document.querySelectorAll("#panel-2 .buttons button");
      example.click();
      clear.click();
      await reading;
    });
    strictEqual(await page.$eval("#panel-2 select", (one) => one.value), "");
    strictEqual(await page.evaluate(`(${inked})("#panel-2 .pair .sheet")`), 0);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("a digit is kept with its last stroke, and an example replaces what was drawn", {
    timeout: 120_000,
  }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&hand", "light");
    await page.evaluate(watchSearches);
    const { kept, inverted, reads } = await page.evaluate(async () => {
      const reads = [];
      const read = window.inkgan.read.bind(window.inkgan);
      let reading;
      window.inkgan.read = (pixels) => {
        reads.push(pixels);
        reading = read(pixels);
        return reading;
      };
      const pad = document.querySelector(".pad");
      pad.setPointerCapture = () => undefined; // there is no pointer
      const stroke = (x) => {
        const { left, top } = pad.getBoundingClientRect();
        for (const [kind, y, buttons] of [
          ["down", 50, 1],
          ["move", 220, 1],
          ["up", 220, 0],
        ]) {
          const place = { clientX: left + x, clientY: top + y };
          pad.dispatchEvent(new PointerEvent(`pointer${kind}`, { isPrimary: true, buttons, ...place }));
        }
      };
      const [, example, keep] = document.querySelectorAll("#panel-2 .buttons button");
      const isFirst = window.isSearched(1);
      stroke(80);
      await isFirst; // the first stroke is taken
      stroke(200);
      keep.click();
      await reading;
      await new Promise((done) => setTimeout(done));
      const kept = reads[1].reduce((sum, one) => sum + one, 0) / reads[0].reduce((sum, one) => sum + one, 0);
      const areTwo = window.isSearched(2);
      stroke(140);
      example.click();
      const inverted = await areTwo;
      await new Promise((done) => setTimeout(done, 800)); // the pad waits 600 ms for a further stroke
      return { kept, inverted: inverted.slice(0, 784).every((one, i) => one === reads[1][i]), reads: reads.length };
    });
    ok(kept > 1.5, `what was read at last has ${kept} times the ink of the first stroke`);
    deepStrictEqual([inverted, reads], [true, 3]);
    const [fewer, more] = await page.evaluate(() => {
      const { putImageData } = CanvasRenderingContext2D.prototype;
      let painted = 0;
      CanvasRenderingContext2D.prototype.putImageData = function (...given) {
        painted++;
        putImageData.apply(this, given);
      };
      const paintedAgain = () => {
        painted = 0;
        dispatchEvent(new Event("resize"));
        return painted;
      };
      const before = paintedAgain();
      document.querySelectorAll("#panel-2 .buttons button")[1].click();
      return [before, paintedAgain()];
    });
    strictEqual(more, fewer, "a canvas of an example is painted for ever");
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("an example that is kept while it is read is kept, and leaves the pad at once", {
    timeout: 120_000,
  }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&hand", "light");
    await page.evaluate(watchSearches);
    const { left, isSecond } = await page.evaluate(async () => {
      const reads = [];
      const read = window.inkgan.read.bind(window.inkgan);
      window.inkgan.read = (pixels) => {
        reads.push(pixels);
        return read(pixels);
      };
      const [, example, keep] = document.querySelectorAll("#panel-2 .buttons button");
      const isFirst = window.isSearched(1);
      example.click();
      await isFirst;
      example.click();
      keep.click();
      const { width, height } = document.querySelector(".pad");
      const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
      copy.drawImage(document.querySelector(".pad"), 0, 0);
      const left = copy.getImageData(0, 0, width, height).data.filter(Boolean).length;
      while (document.querySelector("#panel-2 select").value) {
        await new Promise((done) => setTimeout(done, 10)); // until it is kept
      }
      const areTwo = window.isSearched(2);
      example.click();
      const searched = await areTwo;
      return { left, isSecond: reads[1].every((one, i) => one === searched[i]) };
    });
    deepStrictEqual([left, isSecond], [0, true]);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("a rate that is no number is marked, and the usual one counts", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&learn", "light");
    const asked = await page.evaluate(async () => {
      const trainer = window.inkgan.trainer.bind(window.inkgan);
      const seen = [];
      window.inkgan.trainer = (request) => {
        seen.push(request.settings);
        return trainer({ ...request, steps: 3 });
      };
      const [generator, discriminator, penalty] = document.querySelectorAll("#panel-3 input[type=number]");
      for (const [field, value] of [
        [generator, ""],
        [discriminator, "-1"],
        [penalty, "0"],
      ]) {
        field.value = value;
        field.dispatchEvent(new Event("change"));
      }
      document.querySelectorAll("#panel-3 .buttons button")[2].click();
      const { generatorRate, discriminatorRate, penaltyWeight } = seen[0];
      const marks = [generator, discriminator, penalty].map((one) => one.getAttribute("aria-invalid"));
      return { rates: [generatorRate, discriminatorRate, penaltyWeight], marks };
    });
    deepStrictEqual(asked, { rates: [0.003, 0.003, 0], marks: ["true", "true", "false"] });
    const told = await page.$$eval("#panel-3 input[type=number]", (all) =>
      all.map((one) => document.getElementById(one.getAttribute("aria-describedby")).textContent),
    );
    const sentence = "Give a number from 0 on. Until then, the usual 0.003 counts.";
    deepStrictEqual(told, [sentence, sentence, ""]);
    await speaksBoth(page, "#generatorRate-problem");
    deepStrictEqual(await violations(page), []);
    await until(page, () => document.querySelector(".figures b").textContent === "1");
    const gap = await page.evaluate(() => {
      const top = (one) => document.querySelector(`#panel-3 ${one}`).getBoundingClientRect();
      return top(".figures").top - top(".buttons").bottom;
    });
    ok(gap < 30, `${gap} pixels are empty while there is nothing to say`);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("a run that is complete stops, says so, and can start again", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&learn", "light");
    await page.evaluate(() => {
      const trainer = window.inkgan.trainer.bind(window.inkgan);
      window.inkgan.trainer = (request) => trainer({ ...request, steps: 3 });
    });
    const [run, , oneStep, , reset] = await page.$$("#panel-3 .buttons button");
    const steps = () => page.$eval(".figures b", (one) => one.textContent);
    const said = '[...document.querySelectorAll("#panel-3 .status")].map((one) => one.textContent).join()';
    await run.click();
    await until(page, `${said}.includes("The 3 steps of this run are done.")`);
    await until(page, () => document.querySelector("#panel-3 .buttons button").classList.contains("main"));
    for (const more of [run, oneStep]) {
      await more.click();
    }
    strictEqual(await steps(), "3");
    await reset.click();
    await until(page, `!${said}.includes("done")`);
    await oneStep.click();
    await until(page, () => document.querySelector(".figures b").textContent === "1");
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("what fails says why, until something else is pressed", { timeout: 120_000 }, async () => {
    const { page } = await open(browser(), 1280, "en&learn", "light"); // the browser reports the error, too
    await page.evaluate(() => {
      const trainer = window.inkgan.trainer.bind(window.inkgan);
      window.inkgan.trainer = (request) => {
        window.inkgan.trainer = trainer;
        return trainer({ ...request, batch: 1e6 });
      };
    });
    const told = () => page.$eval(".failure", (one) => [one.textContent, one.offsetHeight > 0]);
    deepStrictEqual(await told(), ["", false]);
    const [run, , oneStep] = await page.$$("#panel-3 .buttons button");
    await run.click();
    await until(page, () => document.querySelector(".failure").textContent !== "");
    deepStrictEqual(await told(), ["This did not work: batch is 1000000. Give a whole number from 1 to 512.", true]);
    deepStrictEqual(await violations(page), []);
    await oneStep.click();
    await until(page, () => document.querySelector(".figures b").textContent === "1");
    deepStrictEqual(await told(), ["", false]);
    await page.close();
  });

  test("Start again leaves nothing in the charts of a page that is zoomed out", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&learn", "light");
    await page.setViewport({ width: 1280, height: 900, deviceScaleFactor: 0.5 });
    const [, , oneStep, , reset] = await page.$$("#panel-3 .buttons button");
    const charts = () =>
      page.$$eval(".chart", (all) =>
        all.map((one) => {
          const copy = new OffscreenCanvas(one.width, one.height).getContext("2d", { willReadFrequently: true });
          copy.drawImage(one, 0, 0);
          return copy.getImageData(0, 0, one.width, one.height).data.some(Boolean);
        }),
      );
    await oneStep.click();
    await until(page, () => document.querySelector(".figures b").textContent === "1");
    deepStrictEqual(await charts(), [true, true, true]);
    await reset.click();
    await until(page, () => document.querySelector(".figures b").textContent === "0");
    deepStrictEqual(await charts(), [false, false, false]);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("what is pressed right after Start again is for the new training", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&learn", "light");
    const [run] = await page.$$("#panel-3 .buttons button");
    await run.click();
    await until(page, () => document.querySelector(".figures b").textContent !== "0");
    await page.evaluate(() => {
      const [run, , , , reset] = document.querySelectorAll("#panel-3 .buttons button");
      window.old = window.inkgan.latest;
      reset.click();
      run.click();
    });
    await until(page, () => window.inkgan.latest !== window.old && window.inkgan.latest.steps > 0);
    const [, , , pause] = await page.$$("#panel-3 .buttons button");
    await pause.click();
    await until(page, () => document.querySelector("#panel-3 .buttons button").classList.contains("main"));
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("while a training starts, it can be changed, paused and forgotten", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&learn", "light");
    const { games, paused, forgotten } = await page.evaluate(async () => {
      const trainer = window.inkgan.trainer.bind(window.inkgan);
      let starting;
      const games = [];
      window.inkgan.trainer = (request) => {
        starting = trainer(request).then((handle) => {
          const change = handle.change.bind(handle);
          handle.change = (settings) => {
            games.push(settings.game);
            return change(settings);
          };
          return handle;
        });
        return starting;
      };
      const [run, , , pause, reset] = document.querySelectorAll("#panel-3 .buttons button");
      const isIdle = async () => {
        await starting;
        for (let i = 0; i < 4; i++) {
          await window.inkgan.latest.shown(); // the worker answers in turn, so what the view asked for is done
        }
        return run.classList.contains("main") && window.inkgan.latest.steps === 0;
      };
      run.click();
      const game = document.querySelectorAll("#panel-3 select")[1];
      game.value = "hinge";
      game.dispatchEvent(new Event("change"));
      pause.click();
      const paused = await isIdle();
      reset.click();
      run.click();
      reset.click();
      return { games, paused, forgotten: await isIdle() };
    });
    deepStrictEqual([games, paused, forgotten], [["hinge"], true, true]);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("the point goes where it is sent while images are still drawn", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&explore", "light");
    const places = await page.evaluate(() => {
      window.inkgan.drawLatents = () => new Promise(() => undefined); // by a worker that never answers
      const plane = document.querySelector(".plane");
      return Array.from({ length: 3 }, () => {
        plane.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
        return [document.querySelector(".dot").style.left, plane.getAttribute("aria-label")];
      });
    });
    strictEqual(new Set(places.flat()).size, 6);
    strictEqual(places[2][1], "Plane of latents: point 0.90, -0.40");
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("once a discriminator learns, the view that asks it says so no longer", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&explore", "light");
    const [, explore, , learn] = await page.$$("[role=tab]");
    const note = '[...document.querySelectorAll("#panel-1 .hint")].map((one) => one.textContent).join()';
    await page.click("#panel-1 input[type=checkbox]");
    await until(page, `${note}.includes("No discriminator has learned yet.")`);
    await learn.click();
    await (await page.$$("#panel-3 .buttons button"))[2].click();
    await until(page, () => document.querySelector(".figures b").textContent === "1");
    await explore.click();
    await until(page, `${note}.includes("Colour around a digit")`);
    await until(page, () => document.querySelector(".digits button").style.boxShadow.includes("3px"));
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("a run has its own speed after a pause, a single step has none", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en", "light");
    const { single, trainer, seconds, refusal } = await page.evaluate(async () => {
      const trainer = await window.inkgan.trainer({ steps: 9 });
      await trainer.run({ steps: 3 });
      await new Promise((done) => setTimeout(done, 2000));
      const single = (await trainer.step()).perSecond;
      const began = performance.now();
      await trainer.run();
      const seconds = (performance.now() - began) / 1000;
      const { steps, perSecond, complete } = trainer;
      const refusal = await trainer.step().catch((error) => error.message);
      return { single, trainer: { steps, perSecond, complete }, seconds, refusal };
    });
    deepStrictEqual([single, trainer.steps, trainer.complete, refusal], [0, 9, true, "this run is complete"]);
    ok(trainer.perSecond >= 4 / seconds, `${trainer.perSecond} steps a second; 4 after the first took ${seconds} s`);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("a training that a later one ended is refused, and the view starts a new one", {
    timeout: 120_000,
  }, async () => {
    const { page, heard } = await open(browser(), 1280, "en&learn", "light");
    const [, , oneStep, pause] = await page.$$("#panel-3 .buttons button");
    const shown = (steps) => until(page, (n) => document.querySelector(".figures b").textContent === n, steps);
    await oneStep.evaluate((one) => {
      one.click();
      one.click();
    });
    await shown("2");
    const said = await page.evaluate(async () => {
      const first = await window.inkgan.trainer({ batch: 2 });
      const second = await window.inkgan.trainer({ batch: 2 });
      await second.step();
      const refusal = await first.step().catch((error) => error.message);
      return [refusal, first.steps, first.ended, second.steps, second.ended];
    });
    deepStrictEqual(said, ["a later training has ended this one", 0, true, 1, false]);
    await pause.click();
    await oneStep.click(); // of a training of its own
    await until(page, () => window.inkgan.latest.steps === 1 && window.inkgan.latest.figures.logitsReal.length === 32);
    await shown("1");
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("every class of a model that cannot write has its name below its image", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 360, "en", "light", "named");
    const names = await page.$$eval(".digits button", (all) => all.map((one) => one.textContent));
    deepStrictEqual([names.length, names[0], names[11]], [12, "T-shirt or top", "Ankle boot"]);
    await until(page, `(${inked})(".digits button:last-child canvas") > 20`);
    deepStrictEqual(
      [await page.title(), await page.$eval("h1", (one) => one.textContent)],
      Array(2).fill("A GAN draws"),
    );
    ok(!/writ/.test(await page.$eval("#panel-0 h2", (one) => one.textContent)));
    ok((await page.$eval("main > p", (one) => one.textContent)).startsWith("This model cannot be told which"));
    strictEqual(await page.evaluate(refusalToWrite), cannotWrite);
    strictEqual(await overflow(page), 0);
    deepStrictEqual(await violations(page), []);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("a page of one kind of coloured picture says why it cannot write, and offers no choice", {
    timeout: 120_000,
  }, async () => {
    const { page, heard } = await open(browser(), 360, "en", "light", "coloured");
    const note = "This model draws in colour, so it cannot write. You can still explore it.";
    strictEqual(await page.$eval("main > p", (one) => one.textContent), note);
    ok(!(await page.$eval("#panel-0", (one) => one.textContent)).includes("Choose an image"));
    const names = await page.$$eval("#panel-0 [aria-pressed], #panel-0 canvas.sheet", (all) =>
      all.map((one) => one.getAttribute("aria-label")),
    );
    deepStrictEqual(names, ["Drawn from this latent", "Its neighbours"]);
    strictEqual(await page.evaluate(refusalToWrite), cannotWrite);
    deepStrictEqual(await violations(page), []);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("what scripts cannot have is refused in one sentence, and the page goes on", { timeout: 200_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en", "light");
    const seeds = "a whole number from 0 to 9223372036854775807.";
    const latents = /^give one or more labels, and a Float32Array with 64 finite numbers for each\.$/;
    const images = /^give one or more images, each 784 numbers from 0 to 1 in a Float32Array, and as many labels\.$/;
    const digits = /^data has no digits, or not one label for each\. Give them in the form of inkgan\.digits\.$/;
    const refusals = [
      ["i.draw({ label: 12 })", "label is 12. Give a whole number from 0 to 9."],
      ['i.draw({ label: "7" })', 'label is "7". Give a whole number from 0 to 9.'],
      ["i.draw({ label: 1.5 })", "label is 1.5. Give a whole number from 0 to 9."],
      ["i.draw({ seed: -1 })", `seed is -1. Give ${seeds}`],
      ["i.draw({ seed: 1.5 })", `seed is 1.5. Give ${seeds}`],
      ['i.draw({ seed: "9223372036854775808" })', `seed is "9223372036854775808". Give ${seeds}`],
      ["i.draw({ writer: 2n ** 63n })", `writer is 9223372036854775808. Give ${seeds}`],
      ["i.draw({ sed: 5 })", "there is no option sed. There are: seed, writer, label."],
      ["i.draw({ constructor: 5 })", "there is no option constructor. There are: seed, writer, label."],
      ["i.hand(0, -1)", `writer is -1. Give ${seeds}`],
      ["i.write(12)", "the text is 12. Give a text."],
      ['i.write("12", { height: NaN })', "height is NaN. Give a whole number from 24 to 512."],
      ['i.write("12", { height: 1e6 })', "height is 1000000. Give a whole number from 24 to 512."],
      ['i.write("12", { style: -0.1 })', "style is -0.1. Give a number from 0 to 1."],
      ['i.write("12", { slant: 46 })', "slant is 46. Give a number from -45 to 45."],
      ['i.write("12", { hand: { latent: new Float32Array(3), gap: 0.1 } })', latents],
      ['i.write("12", { hand: { latent: new Float32Array(64), gap: NaN } })', /^the gap of the hand is NaN\./],
      ["i.drawLatents(new Float32Array(128), [7])", latents],
      ["i.drawLatents(new Float32Array(64).fill(NaN), [7])", latents],
      ["i.drawLatents(Array(64).fill(0), [7])", latents],
      ["i.drawLatents(new Float32Array(0), [])", latents],
      ["i.read(new Float32Array(785))", images],
      ["i.read(new Float32Array(784).fill(255))", images],
      ["i.invert(new Float32Array(784), { labels: [7, 8] })", images],
      ["i.invert(new Float32Array(784))", images],
      ["i.invert(new Float32Array(784), { labels: [7], steps: 0 })", "steps is 0. Give a whole number from 1 on."],
      ["i.trainer({ batch: 0 })", "batch is 0. Give a whole number from 1 to 512."],
      ["i.trainer({ batch: 513 })", "batch is 513. Give a whole number from 1 to 512."],
      ["i.trainer({ steps: NaN })", "steps is NaN. Give a whole number from 1 on."],
      ['i.trainer({ settings: { game: "chess" } })', /^game is "chess"\. Give one of relativistic, non-saturating, /],
      ["i.trainer({ settings: { generatorRate: -1 } })", "generatorRate is -1. Give a number from 0 on."],
      ["i.trainer({ settings: { frozenDiscriminator: 1 } })", "frozenDiscriminator is 1. Give true or false."],
      ["i.trainer({ settings: { rate: 1 } })", /^there is no option rate\. There are: game, generatorRate, /],
      ["i.trainer({ data: {} })", digits],
      ["i.trainer({ data: { ...i.digits, labels: i.digits.labels.map(() => 10) } })", digits],
      ["i.trainer({ data: { ...i.digits, labels: null } })", digits],
      ["i.trainer({ data: { ...i.digits, labels: null, classes: 0 } })", digits],
      ["i.trainer({ data: { ...i.digits, labels: i.digits.labels.map(() => 4), classes: 5 } })", digits],
      ["i.trainer({ data: { ...i.digits, image: { height: 14, width: 56, channels: 1 } } })", digits],
      ["i.trainer({ data: { ...i.digits, image: { height: 14, width: 14, channels: 4 } } })", digits],
      ["i.trainer({ data: { ...i.digits, pixels: i.digits.pixels.subarray(1) } })", digits],
      ["i.trainer({ data: null })", digits],
      ["t.run({ steps: -1 })", "steps is -1. Give a whole number from 1 on."],
      ["t.run({ news: 1 })", "news is 1. Give a function."],
      ["t.change({ penaltyOn: 'fake' })", 'penaltyOn is "fake". Give one of both, real.'],
      ["t.draw(new Float32Array(64), [10])", "a label is 10. Give a whole number from 0 to 9."],
      ["t.critique(new Float32Array(784), [])", images],
    ];
    await page.evaluate("inkgan.trainer({ batch: 2 }).then((trainer) => { window.t = trainer; })");
    for (const [call, words] of refusals) {
      const answer = await page.evaluate(
        `(async (i) => ${call})(inkgan).then(() => "no error", (error) => error.message)`,
      );
      ok(typeof words === "string" ? answer === words : words.test(answer), `${call}: ${answer}`);
    }
    // What is allowed at the ends of the ranges, and numbers of another window, as of a page that embeds this one.
    const done = await page.evaluate(async () => {
      const frame = document.createElement("iframe");
      document.body.append(frame);
      const latents = new frame.contentWindow.Float32Array(64);
      const largest = 2n ** 63n - 1n;
      const { pixels } = await window.inkgan.draw({ seed: String(largest), writer: largest, label: 9 });
      const { width } = await window.inkgan.write("1", { seed: 0, writer: 0n, style: 1, slant: -45, height: 24 });
      await window.t.step();
      await window.inkgan.invert(new Float32Array(784), { labels: Uint8Array.of(7), steps: 1 });
      return [pixels.length, width > 0, (await window.inkgan.drawLatents(latents, [0])).length, window.t.steps];
    });
    deepStrictEqual(done, [784, true, 784, 1]);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("a setting that is undefined counts as left out", { timeout: 120_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en", "light");
    const figures = await page.evaluate(async () => {
      const settings = { generatorRate: undefined, average: undefined };
      const trainer = await window.inkgan.trainer({ batch: 2, settings });
      await trainer.change({ discriminatorRate: undefined, penaltyEvery: undefined });
      const steps = [await trainer.step(), await trainer.step()];
      return steps.map(({ figures, shown }) => [figures.finite, figures.penalty !== null, shown.images.some(Boolean)]);
    });
    deepStrictEqual(figures, [
      [true, true, true],
      [true, false, true],
    ]);
    deepStrictEqual(heard, []);
    await page.close();
  });

  test("a damaged file and half a file say that they are to be fetched again", { timeout: 120_000 }, async () => {
    const whole = readFileSync(`${here}build/page.html`, "utf8");
    const weights = whole.indexOf("inkgan-weights") + 200;
    const damaged = `${whole.slice(0, weights)}AAAAAAAA${whole.slice(weights + 8)}`;
    for (const [text, place, words] of [
      [damaged, "[role=alert]", "its file is damaged or incomplete. Get it again."],
      [whole.slice(0, whole.length / 2), "#inkgan p", "the file is incomplete: get it again."],
    ]) {
      writeFileSync(`${shots}${name}-damaged.html`, text);
      const page = await browser().newPage();
      await page.goto(`file://${shots}${name}-damaged.html#lang=en`);
      await until(page, (one, end) => document.querySelector(one)?.textContent.endsWith(end), place, words);
      await page.close();
    }
  });

  test("a browser that cannot unpack the model is told that it is too old", { timeout: 120_000 }, async () => {
    const page = await browser().newPage();
    await page.evaluateOnNewDocument(() => {
      delete globalThis.DecompressionStream;
    });
    await page.goto(`file://${here}build/page.html#lang=en`);
    const told = await page.$$eval("#inkgan p", (all) => all.map((one) => /2023/.test(one.textContent)));
    deepStrictEqual(told, [true, true]); // in both languages
    await page.close();
  });

  test("on a telephone the four views are in one row, and values stand at the right", {
    timeout: 120_000,
  }, async () => {
    const { page } = await open(browser(), 320, "en", "light");
    const tops = await page.$$eval("[role=tab]", (all) => all.map((one) => one.offsetTop));
    strictEqual(new Set(tops).size, 1);
    const width = await page.$eval("html", (one) => one.clientWidth); // without a scroll bar
    // A telephone would make the first letter of a text, such as the d that stands for any digit, a capital.
    strictEqual(await page.$eval("input[type=text]", (one) => one.autocapitalize), "none");
    const right = await page.$$eval("output", (all) => all.map((one) => Math.round(one.getBoundingClientRect().right)));
    deepStrictEqual(new Set(right), new Set([width - 16]));
    await page.close();
  });

  if (name === "chrome") {
    test("a second finger neither draws a line nor ends the first one's", { timeout: 120_000 }, async () => {
      const { page, heard } = await open(browser(), 390, "en&hand", "light");
      await (await page.$(".pad")).evaluate((pad) => pad.scrollIntoView({ block: "center" }));
      const { x, y } = await (await page.$(".pad")).boundingBox();
      const first = await page.touchscreen.touchStart(x + 40, y + 40);
      await first.move(x + 40, y + 100);
      const second = await page.touchscreen.touchStart(x + 240, y + 40);
      await second.move(x + 240, y + 100);
      await second.end();
      await first.move(x + 40, y + 240);
      await first.end();
      const columns = await page.$eval(".pad", (pad) => {
        const copy = new OffscreenCanvas(pad.width, pad.height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(pad, 0, 0);
        const inked = (left, top) => copy.getImageData(left, top, 1, 1).data[3] > 0;
        return [inked(38, 60), inked(38, 200), inked(140, 70), inked(238, 60)];
      });
      deepStrictEqual(columns, [true, true, false, false]);
      deepStrictEqual(heard, []);
      await page.close();
    });

    test("where the system chooses the colours, what is chosen shows, and ink has paper", {
      timeout: 120_000,
    }, async () => {
      const { page } = await open(browser(), 1280, "en", "light");
      await forceColours(page);
      await page.click(".switches button"); // to dark: ink is light now
      const background = (one) => getComputedStyle(one).backgroundColor;
      const [chosen, other] = await page.$$eval("[role=tab]", (all) =>
        all.map((one) => getComputedStyle(one).backgroundColor),
      );
      notStrictEqual(chosen, other);
      strictEqual(await page.$eval(".paper", background), "rgb(29, 31, 36)");
      strictEqual(await page.$eval(".writing", background), "rgb(29, 31, 36)");
      await page.close();
    });
  }

  test("the scripting interface draws, writes and inverts", { timeout: 200_000 }, async () => {
    const { page, heard } = await open(browser(), 1280, "en", "light");
    const done = await page.evaluate(async () => {
      const inkgan = await window.inkgan;
      await inkgan.ready;
      const seven = await inkgan.draw({ seed: 5, writer: 2, label: 7 });
      const again = await inkgan.draw({ seed: 5, writer: 2, label: 7 });
      const written = await inkgan.write("12:30", { seed: 4 });
      const pixels = Float32Array.from(seven.pixels, (one) => one / 255);
      const [read] = await inkgan.read(pixels);
      const steps = [];
      const found = await inkgan.invert(pixels, { labels: [7], steps: 60, news: ({ step }) => steps.push(step) });
      return {
        same: seven.pixels.every((one, i) => one === again.pixels[i]),
        read: read.indexOf(Math.max(...read)),
        boxes: written.boxes.length,
        error: found.error,
        steps,
      };
    });
    strictEqual(done.same, true);
    strictEqual(done.read, 7);
    strictEqual(done.boxes, 5);
    ok(done.error < 0.01, `error ${done.error}`);
    ok(done.steps.length >= 10);
    deepStrictEqual(heard, []);
    await page.close();
  });
}

/** Wait until a function or an expression is true in the page. */
function until(page, isTrue, ...given) {
  return page.waitForFunction(isTrue, { polling: 100, timeout: 60_000 }, ...given);
}

/** Open a new page. `heard` collects its console messages, errors and network requests; there should be none. */
async function open(browser, width, language, scheme, file = "page") {
  const page = await browser.newPage();
  const heard = [];
  page.on("console", (message) => heard.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => heard.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (!/^(file|blob|data):/.test(request.url())) {
      heard.push(`request: ${request.url()}`);
    }
  });
  await page.setViewport({ width, height: 900 });
  await page.bringToFront(); // keys go to the page in front
  if (scheme === "dark" && browser.process()?.spawnfile.includes("chromium")) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  }
  await page.goto(`file://${here}build/${file}.html#lang=${language}`);
  await page.waitForSelector("[role=tab]");
  if (scheme === "dark" && !browser.process()?.spawnfile.includes("chromium")) {
    await page.click(".switches button");
  }
  return { page, heard };
}

const cannotWrite = "this model cannot write: it needs the classes 0 to 9 and one channel.";

/** What the scripting interface of a model that cannot write says when it should. */
const refusalToWrite = () => window.inkgan.write("12").then(String, (error) => error.message);

/** Count the inked pixels of a canvas. A copy is read, because browsers warn about a canvas that is read often. */
const inked = (selector) => {
  const canvas = document.querySelector(selector);
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  return data.filter((value, i) => i % 4 === 3 && value > 100).length;
};

/** How light the ink on a canvas is: red, of its opaque pixels, at most. */
const lightest = (selector) => {
  const canvas = document.querySelector(selector);
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return Math.max(...data.filter((_, i) => i % 4 === 0 && data[i + 3] === 255));
};

/** Wait until a text is written: the picture's own description says which one it shows. */
function written(page, text) {
  return until(page, (wanted) => document.querySelector(".writing").getAttribute("aria-label").includes(wanted), text);
}

async function writes(page) {
  await until(page, `(${inked})(".writing") > 300`);
  const before = await page.evaluate(inked, ".writing");
  // By the keyboard: on a narrow screen, painting moves the field away from the pointer.
  const input = await page.$("input[type=text]");
  await input.focus();
  await input.evaluate((field) => field.select());
  await page.keyboard.type("3.14 x");
  await until(page, () => document.querySelector("input[type=text]").value === "3.14 x");
  await until(page, () => document.querySelector(".problem").textContent.includes("x"));
  await speaksBoth(page, ".problem");
  await input.focus();
  await page.keyboard.press("End");
  await page.keyboard.press("Backspace");
  await until(page, () => document.querySelector(".problem").textContent === "");
  await written(page, "3.14");
  ok((await page.evaluate(inked, ".writing")) !== before);
}

/** A change of language changes what an element says, and another one changes it back. */
async function speaksBoth(page, selector) {
  const said = () =>
    page.evaluate((one) => [document.documentElement.lang, document.querySelector(one).textContent], selector);
  const [language, text] = await said();
  strictEqual(/[\u4e00-\u9fff]/.test(text), language === "zh-Hans", text);
  const [, toggle] = await page.$$(".switches button");
  const offered = await toggle.evaluate((one) => one.lang);
  await toggle.click();
  const [other, translated] = await said();
  deepStrictEqual([other, await toggle.evaluate((one) => one.lang)], [offered, language]); // it is read in its language
  ok(other !== language);
  strictEqual(/[\u4e00-\u9fff]/.test(translated), other === "zh-Hans", translated);
  await toggle.click();
  deepStrictEqual(await said(), [language, text]);
}

async function looksAround(page) {
  const tabs = await page.$$("[role=tab]");
  await tabs[0].focus();
  await page.keyboard.press("ArrowRight");
  const focused = () => page.evaluate(() => document.activeElement.id);
  strictEqual(await focused(), "tab-1");
  for (const [key, tab] of [
    ["End", "tab-3"],
    ["ArrowRight", "tab-0"],
    ["ArrowLeft", "tab-3"],
    ["Home", "tab-0"],
    ["ArrowRight", "tab-1"],
  ]) {
    await page.keyboard.press(key);
    strictEqual(await focused(), tab);
  }
  await until(page, `(${inked})(".digits canvas") > 20`);
  await page.focus(".plane");
  const place = () => page.evaluate(() => document.querySelector(".dot").style.left);
  const was = await place();
  await page.keyboard.press("ArrowLeft");
  await until(page, (before) => document.querySelector(".dot").style.left !== before, was);
  await drags(page, place);
}

/** The point follows the pointer while the left button is down. Without it, it stays: the pointer goes elsewhere. */
async function drags(page, place) {
  const { x, y, width } = await (await page.$(".plane")).boundingBox();
  const was = await place();
  await page.mouse.move(x + 10, y + 10);
  await page.mouse.move(x + width / 4, y + 20, { steps: 4 });
  await page.evaluate(() => new Promise((done) => setTimeout(done, 200)));
  strictEqual(await place(), was);
  await page.mouse.down({ button: "right" });
  await page.mouse.move(x + width / 3, y + 20, { steps: 4 });
  await page.mouse.up({ button: "right" });
  await page.evaluate(() => new Promise((done) => setTimeout(done, 200)));
  strictEqual(await place(), was);
  await page.mouse.move(x + width / 4, y + 20);
  await page.mouse.down();
  await until(page, () => Math.abs(Number.parseFloat(document.querySelector(".dot").style.left) - 25) < 1);
  await page.mouse.move(x + width / 2, y + 20, { steps: 4 });
  await until(page, () => Math.abs(Number.parseFloat(document.querySelector(".dot").style.left) - 50) < 1);
  await page.mouse.up();
}

async function drawsByHand(page) {
  await (await page.$$("[role=tab]"))[2].click();
  const pad = await page.waitForSelector(".pad");
  await pad.scrollIntoView();
  strictEqual(await page.evaluate(() => document.querySelector(".pair select").value), ""); // nothing was drawn
  const box = await pad.boundingBox();
  const scale = box.width / 280;
  const stroke = [
    [90, 70],
    [190, 70],
    [150, 140],
    [120, 230],
  ];
  await page.mouse.move(box.x + 90 * scale, box.y + 70 * scale);
  await page.mouse.down();
  for (const [x, y] of stroke.slice(1)) {
    await page.mouse.move(box.x + x * scale, box.y + y * scale, { steps: 8 });
  }
  await page.mouse.up();
  const [theme] = await page.$$(".switches button");
  const colour = () => page.evaluate(lightest, ".pad");
  const was = await colour();
  await theme.click();
  ok(Math.abs((await colour()) - was) > 100, "the drawing keeps the colour that it had, which is now the paper's");
  await theme.click();
  strictEqual(await colour(), was);
  await until(page, () => /100/.test(document.querySelector(".status").textContent.replace("100,", "")));
  strictEqual(await page.evaluate(() => document.querySelector(".pair select").value), "7");
  await until(page, `(${inked})("#panel-2 .writing") > 300`);
}

async function learns(page) {
  await (await page.$$("[role=tab]"))[3].click();
  await refusesASeed(page);
  await refusesFiles(page);
  const longest = watchTasks(page);
  await page.click("button.main");
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  await until(page, () => document.querySelector(".figures b").textContent !== "0"); // later on a busy machine
  const [steps, rate] = await page.evaluate(() =>
    [...document.querySelectorAll(".figures b")].map((one) => one.textContent),
  );
  console.log(`${steps} steps in ${seconds} s, ${rate} a second at the end; longest task ${await longest} ms`);
  await until(page, `(${inked})("#panel-3 .sheet") > 100`); // it, too, comes later on a busy machine
  deepStrictEqual(await buttons(page), { main: [3], pressed: [0], idle: [] });
  const [, , , pause] = await page.$$("#panel-3 .buttons button");
  await pause.click();
  await until(page, () => document.querySelector("#panel-3 .buttons button").classList.contains("main"));
  deepStrictEqual(await buttons(page), { main: [0], pressed: [], idle: [3] });
  await sharpCharts(page);
  await criticises(page);
  await replays(page);
}

/** Which of the buttons of a training stands out, which is pressed, and which does nothing now. */
function buttons(page) {
  return page.$$eval("#panel-3 .buttons button", (all) => {
    const numbers = (selector) => all.flatMap((one, number) => (one.matches(selector) ? [number] : []));
    return { main: numbers(".main"), pressed: numbers("[aria-pressed=true]"), idle: numbers("[aria-disabled=true]") };
  });
}

/** The discriminator's opinion is around and on the digits, also after the window's size and the colours changed. */
async function criticises(page) {
  await (await page.$$("[role=tab]"))[1].click();
  await page.click("#panel-1 input[type=checkbox]");
  const rings = () =>
    [...document.querySelectorAll(".digits button")].every((one) => one.style.boxShadow.includes("3px"));
  await until(page, rings);
  const mark = await page.$eval(".digits [aria-pressed=true]", (one) => {
    const { outlineOffset, outlineColor } = getComputedStyle(one);
    return [outlineOffset, outlineColor, getComputedStyle(document.body).color];
  });
  await page.focus(".digits button:has(+ [aria-pressed=true])");
  await page.keyboard.press("Tab"); // whoever uses keys sees where the focus is, also on the chosen digit
  const focused = await page.$eval(".digits [aria-pressed=true]", (one) => getComputedStyle(one).outlineColor);
  notStrictEqual(focused, mark[1]);
  deepStrictEqual(mark.slice(0, 2), ["3px", mark[2]]); // beside the ring, and of no colour that is a judgement
  const before = await page.$eval(".digits canvas", (one) => one.toDataURL());
  strictEqual(await page.evaluate(coloured), true);
  await page.evaluate(() => dispatchEvent(new Event("resize")));
  strictEqual(await page.$eval(".digits canvas", (one) => one.toDataURL()), before);
  const [theme] = await page.$$(".switches button");
  await theme.click();
  strictEqual(await page.evaluate(coloured), true);
  notStrictEqual(await page.$eval(".digits canvas", (one) => one.toDataURL()), before);
  await theme.click();
  await page.click("#panel-1 input[type=checkbox]");
  await (await page.$$("[role=tab]"))[3].click();
}

/** Whether a digit has pixels that are blue or red. Ink and paper are nearly grey. */
const coloured = () => {
  const canvas = document.querySelector(".digits canvas");
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return data.some((_, i) => i % 4 === 0 && data[i + 3] > 40 && Math.abs(data[i] - data[i + 2]) > 60);
};

/** A chart has a pixel for each of the screen's, also for a reader whose text is larger: nothing is stretched. */
async function sharpCharts(page) {
  const sizes = await page.evaluate(() => {
    document.documentElement.style.fontSize = "24px";
    dispatchEvent(new Event("resize"));
    const sizes = [...document.querySelectorAll(".chart")].flatMap((one) => [
      [one.width, one.clientWidth * devicePixelRatio],
      [one.height, one.clientHeight * devicePixelRatio],
    ]);
    document.documentElement.style.fontSize = "";
    return sizes;
  });
  strictEqual(sizes.length, 6);
  for (const [drawn, shown] of sizes) {
    ok(Math.abs(drawn - shown) <= 1, `a side of ${drawn} pixels is shown as one of ${shown}`);
  }
}

/** A seed that is not a number is marked and starts nothing, and a sentence below the buttons says why. */
async function refusesASeed(page) {
  const seed = "#panel-3 input[inputmode=numeric]";
  const refusal = "#panel-3 .buttons + .problem";
  const write = (value) => page.$eval(seed, (input, text) => Object.assign(input, { value: text }), value);
  await write("ten");
  await page.click("button.main");
  await until(page, `document.querySelector("${refusal}").textContent.includes("9223372036854775807")`);
  strictEqual(await page.$eval(seed, (input) => input.getAttribute("aria-invalid")), "true");
  strictEqual(await page.$eval(".figures b", (one) => one.textContent), "0");
  await write("0");
}

/** Files that are not MNIST's change nothing, and a sentence in the reader's language says what is wrong with them. */
async function refusesFiles(page) {
  const refusal = "#panel-3 .field:has([type=file]) + .problem";
  const input = await page.$("#panel-3 input[type=file]");
  for (const [name, , words] of wrongFiles) {
    await input.uploadFile(`${shots}${name}`);
    const says = (one, wanted) => wanted.some((word) => document.querySelector(one).textContent.includes(word));
    await until(page, says, refusal, words);
    await speaksBoth(page, refusal);
  }
}

/** The two recorded runs show their last grids at first, and others by their sliders. */
async function replays(page) {
  const told = () => page.$$eval("#panel-3 .panel output", (all) => all.map((one) => one.textContent));
  const grids = () => page.$$eval("#panel-3 .panel:has(output) canvas", (all) => all.map((one) => one.toDataURL()));
  deepStrictEqual(await told(), ["100,000", "2,500"]);
  const last = await grids();
  const [tutorial, fast] = await page.$$("#panel-3 .panel input[type=range]");
  await tutorial.press("Home");
  await fast.press("ArrowLeft");
  deepStrictEqual(await told(), ["1,000", "2,450"]);
  const earlier = await grids();
  ok(earlier.length === 2 && earlier.every((one, i) => one !== last[i]));
}

/** The longest task on the main thread while the page learns, if the browser reports it. */
function watchTasks(page) {
  return page.evaluate(
    (milliseconds) =>
      new Promise((done) => {
        let longest = 0;
        if (!PerformanceObserver.supportedEntryTypes.includes("longtask")) {
          done("?");
          return;
        }
        new PerformanceObserver((list) => {
          longest = Math.max(longest, ...list.getEntries().map((one) => one.duration));
        }).observe({ entryTypes: ["longtask"] });
        setTimeout(() => done(longest), milliseconds);
      }),
    1000 * seconds - 500,
  );
}
