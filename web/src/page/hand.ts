/** The view "Your hand": one digit that somebody draws becomes a latent, and all ten appear in that hand. */

import { DIGIT } from "../digits";
import { repeated } from "../generator";
import { type Drawn, inFormOfMnist, isUnlike } from "../inversion";
import { toUint8 } from "../rounding";
import { DIGITS, type Hand } from "../writing";
import type { Inkgan } from "./api";
import { button, make, paintSheet, picture, said, wipe } from "./dom";
import { drawingPad, SIDE } from "./pad";
import { label, type Sentence, say, tell } from "./texts";
import type { Inversion } from "./worker";
import { latestOnly, paintWriting, textField, wrongWith } from "./write";

const STEPS = 100;

export function handView(inkgan: Inkgan): HTMLElement {
  const pad = drawingPad(() => changed());
  const kept: Drawn[] = [];
  let now: Drawn | null = null;
  let hand: Hand | null = null;
  let cleared = 0; // how often the pad was cleared; what was drawn before is not taken any more
  let forgotten = 0; // how often all was forgotten; what was asked for before is not shown any more
  const sheets = makeSheets();
  const none = make("option", { value: "", hidden: true }, "–"); // until something is drawn
  const which = make("select", {}, none, ...[...DIGITS].map((digit) => make("option", { value: digit }, digit)));

  const rewrite = latestOnly(async () => {
    const problem = wrongWith(text.input.value);
    tell(text.problem, problem);
    text.input.setAttribute("aria-invalid", String(problem !== null));
    const own = hand;
    if (own && !problem && text.input.value.trim()) {
      const writing = await inkgan.write(text.input.value, { hand: own, height: 96 });
      if (own === hand) {
        paintWriting(sheets.written, writing);
      }
    }
  });
  const text = textField("yourText", rewrite);

  const search = latestOnly(async () => {
    const drawings = [...kept, ...(now ? [now] : [])];
    if (!drawings.length) {
      return;
    }
    const before = forgotten;
    sheets.count(drawings.length);
    const pixels = new Float32Array(drawings.length * 784);
    drawings.forEach((one, i) => {
      pixels.set(one.pixels, i * 784);
    });
    const news = (progress: Inversion) => {
      if (before === forgotten) {
        sheets.search(progress);
      }
    };
    const labels = drawings.map((one) => one.label);
    const result = await inkgan.invert(pixels, { labels, steps: STEPS, news });
    const images = await inkgan.drawLatents(repeated(result.latent, 10), [...DIGITS].map(Number));
    if (before === forgotten) {
      sheets.found(result, images);
      hand = { latent: result.latent, gap: 0.1 };
      rewrite();
    }
  });

  let taken = Promise.resolve(); // kept when what was on the pad is read
  const take = (pixels: Float32Array | null) => {
    if (pixels) {
      taken = read(pixels);
    }
  };
  const read = async (pixels: Float32Array) => {
    const before = cleared;
    const [probabilities] = await inkgan.read(pixels);
    if (before !== cleared) {
      return;
    }
    const digit = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : 0;
    which.value = String(digit);
    now = { pixels, label: digit };
    sheets.read(pixels);
    search();
  };
  const changed = () => take(inFormOfMnist(pad.ink(), SIDE, SIDE));
  which.addEventListener("change", () => {
    if (now) {
      now = { ...now, label: Number(which.value) };
      search();
    }
  });
  const clear = () => {
    cleared++;
    pad.clear();
    now = null;
    which.value = "";
  };
  const forget = () => {
    clear();
    forgotten++;
    kept.length = 0;
    hand = null;
    sheets.clear();
  };
  const keep = async () => {
    pad.settle();
    pad.clear(); // at once: the next digit may be begun while this one is read
    await taken;
    if (now) {
      kept.push(now);
      now = null;
      which.value = "";
    }
  };
  const example = () => {
    const digits = inkgan.digits;
    if (digits) {
      const start = 784 * Math.floor((Math.random() * digits.pixels.length) / 784);
      const pixels = Float32Array.from(digits.pixels.subarray(start, start + 784), (one) => one / 255);
      pad.show(pixels);
      take(pixels);
    }
  };
  const buttons = [button("clear", clear), button("example", example), button("keep", keep), button("forget", forget)];
  return make(
    "section",
    {},
    said("h2", "handTitle"),
    said("p", "handHint", { class: "hint" }),
    make(
      "div",
      { class: "columns" },
      make("div", {}, pad.canvas, make("div", { class: "buttons" }, ...buttons), sheets.counted),
      sheets.beside(make("label", { class: "field" }, said("span", "readAs"), which)),
    ),
    ...sheets.below(text.element),
  );
}

/** What the view shows of a search: the drawing, the nearest image, the ten digits and a text in that hand. */
function makeSheets() {
  const target = picture("readAs", 28, 28, "sheet");
  const nearest = picture("found", 28, 28, "sheet");
  const ten = picture("yourDigits", 10 * 28, 28, "sheet wide");
  const written = picture("nothingWritten", 300, 96, "writing");
  const counted = said("p", "kept", { class: "hint" }, { count: 0 });
  const progress = make("span"); // beside the status: a reader of the screen is told the end of a search only
  const status = said("span", "nothingDrawn", { role: "status" });
  const figures = ({ step, error }: Inversion): Sentence => [
    "inversionSteps",
    { step, steps: STEPS, error: error.toFixed(4) },
  ];
  const search = (now: Inversion) => {
    paintSheet(nearest, { ...DIGIT, pixels: now.image }, 1);
    tell(status, null);
    tell(progress, figures(now));
  };
  return {
    counted,
    written,
    /** The column beside the pad; `readAs` is the field for the digit that was drawn. */
    beside: (readAs: HTMLElement) =>
      make(
        "div",
        {},
        make("div", { class: "pair" }, readAs, target),
        make("div", { class: "pair" }, said("h3", "found"), nearest),
        said("p", "foundHint", { class: "hint" }),
        make("p", { class: "status" }, progress, status),
      ),
    /** What lies below the pad; `text` is the field for the text to write. */
    below: (text: HTMLElement) => [said("h3", "yourDigits"), ten, text, make("div", { class: "paper" }, written)],
    count: (count: number) => say(counted, "kept", { count }),
    read: (pixels: Float32Array) => {
      tell(status, null);
      paintSheet(target, { ...DIGIT, pixels: toUint8(pixels) }, 1);
    },
    search,
    found: (result: Inversion, images: Uint8Array) => {
      search(result);
      tell(progress, null);
      tell(status, isUnlike(result.latent) ? ["unlike"] : figures(result));
      paintSheet(ten, { ...DIGIT, pixels: images }, 10);
    },
    clear: () => {
      for (const canvas of [target, nearest, ten, written]) {
        wipe(canvas);
      }
      label(written, "nothingWritten");
      say(counted, "kept", { count: 0 });
      tell(progress, null);
      say(status, "nothingDrawn");
    },
  };
}
