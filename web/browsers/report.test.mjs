// Looks at the HTML report of `inkgan evaluate` on screens of several widths. Needs build/report.html (npm run page).

import { deepStrictEqual, notStrictEqual, strictEqual } from "node:assert";
import { before, test } from "node:test";
import { forceColours, here, inEachBrowser, overflow, violations } from "./browsers.mjs";

inEachBrowser((name, browser) => {
  let page;
  before(async () => {
    page = await browser().newPage();
    await page.goto(`file://${here}build/report.html`);
  });

  for (const width of [1280, 900, 768, 710, 640, 360, 320]) {
    test(`a report fits ${width} pixels, and no word of a figure's name is divided`, { timeout: 60_000 }, async () => {
      await page.setViewport({ width, height: 900 });
      strictEqual(await page.evaluate("innerWidth"), width);
      strictEqual(await overflow(page), 0);
      deepStrictEqual(await page.evaluate(divided, "table:not(.rows) th:not(.name)"), []);
      deepStrictEqual(await violations(page), []);
      notStrictEqual(await page.title(), "broken");
    });
  }

  if (name === "chrome") {
    test("charts keep their paper where the system chooses the colours", { timeout: 60_000 }, async () => {
      await forceColours(page);
      const papers = await page.$$eval("svg", (all) => all.map((one) => getComputedStyle(one).backgroundColor));
      deepStrictEqual([...new Set(papers)], ["rgb(255, 255, 255)"]);
    });
  }
});

/** The words that a line break divides, except at a hyphen, in the visible elements that a selector matches. */
function divided(selector) {
  const found = [];
  for (const element of document.querySelectorAll(selector)) {
    const text = element.firstChild;
    for (const { 0: word, index } of text.data.matchAll(/[^\s-]+/g)) {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      const tops = new Set([...range.getClientRects()].map((one) => Math.round(one.top)));
      if (tops.size > 1) {
        found.push(word);
      }
    }
  }
  return found;
}
