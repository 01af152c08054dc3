/** The view "Your hand": one digit that somebody draws becomes a latent, and all ten appear in that hand. */

import { DIGIT } from "../digits";
import { repeated } from "../generator";
import { type Drawn, inFormOfMnist, isUnlike } from "../inversion";
import { toUint8 } from "../rounding";
import { DIGITS, type Hand } from "../writing";
import type { Inkgan } from "./api";
import { asImage, button, colour, context, make, paint, paintSheet, picture, presses, said, wipe } from "./dom";
import { label, type Sentence, say, tell } from "./texts";
import type { Inversion } from "./worker";
import { latestOnly, paintWriting, textField, wrongWith } from "./write";

const SIDE = 280;
const PEN = 22; // about as wide, after shrinking, as MNIST's strokes
const STEPS = 100;

export function handView(inkgan: Inkgan): HTMLElement {
  const pad = drawingPad(() => changed());
  const kept: Drawn[] = [];
  let now: Drawn | null = null;
  let hand: Hand | null = null;
  let cleared = 0; // how often the pad was cleared; what was drawn before is not taken any more
  let forgotten = 0; // how often all was forgotten; what was asked for before is not shown any more
  const progress = make("span"); // beside the status: a reader of the screen is told the end of a search only
  const status = said("span", "nothingDrawn", { role: "status" });
  const target = picture("readAs", 28, 28, "sheet");
  const found = picture("found", 28, 28, "sheet");
  const ten = picture("yourDigits", 10 * 28, 28, "sheet wide");
  const written = picture("nothingWritten", 300, 96, "writing");
  const none = make("option", { value: "", hidden: true }, "–"); // until something is drawn
  const which = make("select", {}, none, ...[...DIGITS].map((digit) => make("option", { value: digit }, digit)));
  const count = said("p", "kept", { class: "hint" }, { count: 0 });

  const rewrite = latestOnly(async () => {
    const problem = wrongWith(text.input.value);
    tell(text.problem, problem);
    text.input.setAttribute("aria-invalid", String(problem !== null));
    const own = hand;
    if (own && !problem && text.input.value.trim()) {
      const writing = await inkgan.write(text.input.value, { hand: own, height: 96 });
      if (own === hand) {
        paintWriting(written, writing);
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
    say(count, "kept", { count: drawings.length });
    const pixels = new Float32Array(drawings.length * 784);
    drawings.forEach((one, i) => {
      pixels.set(one.pixels, i * 784);
    });
    const figures = ({ step, error }: Inversion): Sentence => [
      "inversionSteps",
      { step, steps: STEPS, error: error.toFixed(4) },
    ];
    const news = (now: Inversion) => {
      if (before === forgotten) {
        paintSheet(found, { ...DIGIT, pixels: now.image }, 1);
        tell(status, null);
        tell(progress, figures(now));
      }
    };
    const labels = drawings.map((one) => one.label);
    const result = await inkgan.invert(pixels, { labels, steps: STEPS, news });
    const images = await inkgan.drawLatents(repeated(result.latent, 10), [...DIGITS].map(Number));
    if (before !== forgotten) {
      return;
    }
    news(result);
    tell(progress, null);
    tell(status, isUnlike(result.latent) ? ["unlike"] : figures(result));
    hand = { latent: result.latent, gap: 0.1 };
    paintSheet(ten, { ...DIGIT, pixels: images }, 10);
    rewrite();
  });

  const take = async (pixels: Float32Array | null) => {
    if (!pixels) {
      return;
    }
    const before = cleared;
    const [probabilities] = await inkgan.read(pixels);
    if (before !== cleared) {
      return;
    }
    const digit = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : 0;
    which.value = String(digit);
    now = { pixels, label: digit };
    paintSheet(target, { ...DIGIT, pixels: toUint8(pixels) }, 1);
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
    for (const canvas of [target, found, ten, written]) {
      wipe(canvas);
    }
    label(written, "nothingWritten");
    say(count, "kept", { count: 0 });
    tell(progress, null);
    say(status, "nothingDrawn");
  };
  const keep = async () => {
    await pad.settle();
    if (now) {
      kept.push(now);
      clear();
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
  return make(
    "section",
    {},
    said("h2", "handTitle"),
    said("p", "handHint", { class: "hint" }),
    make(
      "div",
      { class: "columns" },
      make(
        "div",
        {},
        pad.canvas,
        make(
          "div",
          { class: "buttons" },
          button("clear", clear),
          button("example", example),
          button("keep", keep),
          button("forget", forget),
        ),
        count,
      ),
      make(
        "div",
        {},
        make("div", { class: "pair" }, make("label", { class: "field" }, said("span", "readAs"), which), target),
        make("div", { class: "pair" }, said("h3", "found"), found),
        said("p", "foundHint", { class: "hint" }),
        make("p", { class: "status" }, progress, status),
      ),
    ),
    said("h3", "yourDigits"),
    ten,
    text.element,
    make("div", { class: "paper" }, written),
  );
}

/** A canvas to draw on with a round pen. */
function drawingPad(changed: () => Promise<void>) {
  const canvas = make("canvas", { width: SIDE, height: SIDE, class: "pad", role: "img" });
  label(canvas, "handCanvas");
  const pen = context(canvas);
  let last: [number, number] | null = null;
  let timer = 0; // runs while a further stroke may follow the last one
  let taken = Promise.resolve(); // when what was drawn last is taken
  const take = () => {
    timer = 0;
    taken = changed();
  };
  const forget = () => {
    clearTimeout(timer);
    timer = 0;
  };
  const place = (event: PointerEvent): [number, number] => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  };
  const lineTo = (event: PointerEvent) => {
    const [x, y] = place(event);
    pen.lineWidth = PEN;
    pen.lineCap = "round";
    pen.strokeStyle = `rgb(${colour("ink")})`;
    pen.beginPath();
    pen.moveTo(...(last ?? [x, y]));
    pen.lineTo(x, y);
    pen.stroke();
    last = [x, y];
  };
  paint(canvas, () => {
    pen.globalCompositeOperation = "source-in"; // what was drawn keeps its shape, in the present colour of ink
    pen.fillStyle = `rgb(${colour("ink")})`;
    pen.fillRect(0, 0, SIDE, SIDE);
    pen.globalCompositeOperation = "source-over";
  });
  // Another finger, or the palm, would draw lines from where the first one is; so would the menu of the right button.
  canvas.addEventListener("pointerdown", (event) => {
    if (!presses(event)) {
      return;
    }
    canvas.setPointerCapture(event.pointerId);
    forget();
    lineTo(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last && presses(event)) {
      lineTo(event);
    }
  });
  const end = (event: PointerEvent) => {
    if (last && event.isPrimary) {
      last = null;
      timer = window.setTimeout(take, 600); // a 4 or a 5 may have a second stroke
    }
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  return {
    canvas,
    clear: () => {
      forget();
      pen.clearRect(0, 0, SIDE, SIDE);
    },
    /** Wait until all that was drawn is taken, the last stroke at once. */
    settle: async () => {
      if (timer) {
        forget();
        take();
      }
      await taken;
    },
    ink: () => {
      const { data } = pen.getImageData(0, 0, SIDE, SIDE);
      return Float32Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i + 3] / 255);
    },
    show: (pixels: Float32Array) => {
      forget();
      const small = make("canvas", { width: DIGIT.width, height: DIGIT.height });
      context(small).putImageData(asImage(toUint8(pixels), DIGIT.width, DIGIT.height, DIGIT.channels), 0, 0);
      pen.clearRect(0, 0, SIDE, SIDE);
      pen.drawImage(small, 0, 0, SIDE, SIDE);
    },
  };
}
