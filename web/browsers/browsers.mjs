// What the tests in browsers share. The browsers are $CHROMIUM and $FIREFOX, by default Debian's.

import { existsSync, readFileSync } from "node:fs";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

export const here = fileURLToPath(new URL("..", import.meta.url));
const axe = readFileSync(`${here}node_modules/axe-core/axe.min.js`, "utf8");
const browsers = {
  chrome: process.env.CHROMIUM ?? "/usr/bin/chromium",
  firefox: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
};

/** Run tests in all installed browsers at the same time; `tests` is told a browser's name and how to get the browser. */
export function inEachBrowser(tests) {
  const found = Object.entries(browsers).filter(([name, executablePath]) => {
    const isThere = existsSync(executablePath);
    if (!isThere) {
      console.log(`${executablePath} is not there, so nothing is tried in ${name}.`);
    }
    return isThere;
  });
  describe("in browsers", { concurrency: found.length || 1 }, () => {
    for (const [name, executablePath] of found) {
      // One page after the other in each browser: keys go to the page in front.
      describe(name, { concurrency: 1 }, () => {
        let browser;
        before(async () => {
          const args = name === "chrome" ? ["--no-sandbox"] : [];
          const headless = true;
          browser = await puppeteer.launch({ browser: name, executablePath, args, headless, protocolTimeout: 300_000 });
        });
        after(() => browser.close());
        tests(name, () => browser);
      });
    }
  });
}

/** What axe finds wrong with a page for readers who need help to read it. */
export function violations(page) {
  return page.evaluate(
    `${axe}; axe.run().then((result) => result.violations.map((one) => one.id + ": " + one.nodes.map((node) => node.html).join(" | ")))`,
  );
}

/** By how many pixels a page is wider than the screen. */
export function overflow(page) {
  return page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));
}

/** Show a page as a system with colours of its own does (`forced-colors`). Only Chromium can be told to. */
export async function forceColours(page) {
  const session = await page.createCDPSession();
  await session.send("Emulation.setEmulatedMedia", { features: [{ name: "forced-colors", value: "active" }] });
}
