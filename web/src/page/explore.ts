/** The view "Explore": a plane of latents under the finger, their images, and how a discriminator judges them. */

import { repeated } from "../generator";
import { Philox, Stream } from "../philox";
import type { Inkgan, TrainerHandle } from "./api";
import { asColours, button, colour, context, make, paintOver, paintSheet, picture, presses, said } from "./dom";
import { label, type Sentence, say } from "./texts";
import { latestOnly } from "./write";

const MOST = 100; // classes that are drawn at once
const REACH = 1.5; // the plane goes this far, in standard deviations, to each side

/** The view. `trainer` returns the training in progress, if there is one; it is null on a page that cannot train. */
export function exploreView(inkgan: Inkgan, trainer: (() => TrainerHandle | null) | null): HTMLElement {
  const { classes, image, latent, names = [] } = inkgan.description;
  const count = Math.min(classes || 1, MOST);
  const labels = Array.from({ length: count }, (_, i) => i);
  let [x, y, seed, chosen] = [0.6, -0.4, 1, Math.min(3, count - 1)];
  const shownNames = !inkgan.canWrite && names.length > 0; // nobody needs to be told which digit a digit is
  const plane = make("div", { class: "plane", tabindex: 0, role: "application" });
  const dot = make("span", { class: "dot" });
  plane.append(dot);
  const digits = make("div", { class: shownNames ? "digits named" : "digits" });
  const cells = labels.map((one) => {
    const canvas = make("canvas", { width: image.width, height: image.height });
    const cell = make("button", { type: "button", "aria-pressed": String(one === chosen) }, canvas);
    if (shownNames) {
      cell.append(make("span", {}, names[one]));
    } else if (classes) {
      cell.setAttribute("aria-label", names[one] ?? String(one));
    } else {
      label(cell, "digitsHere");
    }
    cell.addEventListener("click", () => {
      chosen = one;
      cells.forEach(({ cell: other }, i) => {
        other.setAttribute("aria-pressed", String(i === one));
      });
      redraw();
    });
    digits.append(cell);
    return { canvas, cell };
  });
  const neighbours = picture("neighbours", 3 * image.width, 3 * image.height, "sheet");
  const neighboursName = (): Sentence =>
    classes ? ["neighboursOf", { label: names[chosen] ?? chosen }] : ["neighbours"];
  const asks = make("input", { type: "checkbox" });
  const note = said("p", "criticHint", { class: "hint" });

  const place = () => {
    dot.style.left = `${50 + (50 * x) / REACH}%`;
    dot.style.top = `${50 + (50 * y) / REACH}%`;
    label(plane, "plane", { x: x.toFixed(2), y: y.toFixed(2) });
  };
  place();
  const redraw = latestOnly(async () => {
    const here = latentAt(seed, x, y, latent);
    const pixels = await inkgan.drawLatents(repeated(here, count), labels);
    const size = image.width * image.height * image.channels;
    cells.forEach(({ canvas, cell }, i) => {
      paintSheet(canvas, { ...image, pixels: pixels.subarray(i * size, (i + 1) * size) }, 1);
      cell.style.boxShadow = "";
    });
    const around = neighboursOf(here, seed);
    const near = await inkgan.drawLatents(
      around,
      Array.from({ length: 9 }, () => chosen),
    );
    paintSheet(neighbours, { ...image, pixels: near }, 3);
    label(neighbours, ...neighboursName());
    await criticise(pixels);
  });

  const criticise = async (pixels: Uint8Array) => {
    const critic = trainer?.() ?? null;
    say(note, asks.checked && !critic ? "criticNone" : "criticHint");
    if (!asks.checked || !critic) {
      return;
    }
    const { margins, wishes } = await critic.critique(
      Float32Array.from(pixels, (one) => one / 255),
      labels,
    );
    const size = image.width * image.height;
    const full = wishes.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-9);
    cells.forEach(({ canvas, cell }, i) => {
      const strength = Math.min(1, Math.abs(margins[i]) / 5);
      paintOver(canvas, () => {
        const side = colour(margins[i] > -1 ? "more" : "less").join(" ");
        cell.style.boxShadow = `0 0 0 3px rgb(${side} / ${0.25 + 0.75 * strength})`;
        const layer = make("canvas", { width: image.width, height: image.height });
        const colours = asColours(wishes.subarray(i * size, (i + 1) * size), image.width, image.height, full);
        context(layer).putImageData(colours, 0, 0);
        context(canvas).drawImage(layer, 0, 0);
      });
    });
  };

  const moveTo = (newX: number, newY: number) => {
    x = Math.min(REACH, Math.max(-REACH, newX));
    y = Math.min(REACH, Math.max(-REACH, newY));
    place(); // at once: the images may take their time
    redraw();
  };
  // Not without a button: on its way to the images, the pointer would take the point with it; nor with the right one.
  const follow = (event: PointerEvent) => {
    if (presses(event)) {
      const box = plane.getBoundingClientRect();
      moveTo(
        ((event.clientX - box.left) / box.width - 0.5) * 2 * REACH,
        ((event.clientY - box.top) / box.height - 0.5) * 2 * REACH,
      );
    }
  };
  plane.addEventListener("pointerdown", (event) => {
    plane.setPointerCapture(event.pointerId);
    follow(event);
  });
  plane.addEventListener("pointermove", follow);
  plane.addEventListener("keydown", (event) => {
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-0.1, 0],
      ArrowRight: [0.1, 0],
      ArrowUp: [0, -0.1],
      ArrowDown: [0, 0.1],
    };
    const step = steps[event.key];
    if (step) {
      event.preventDefault();
      moveTo(x + step[0], y + step[1]);
    }
  });
  asks.addEventListener("change", redraw);
  const other = button("otherPlane", () => {
    seed++;
    redraw();
  });
  const first = said("p", "firstClasses", { class: "hint" }, { count, all: classes });
  const element = make(
    "section",
    {},
    said("h2", inkgan.canWrite ? "exploreTitle" : "exploreTitleOfPictures"),
    said("p", "exploreHint", { class: "hint" }, { count: latent }),
    make(
      "div",
      { class: "columns" },
      make("div", {}, plane, make("div", { class: "buttons" }, other)),
      make(
        "div",
        {},
        said("h3", "digitsHere"),
        digits,
        ...(count < classes ? [first] : []),
        ...(trainer ? [make("label", { class: "check" }, asks, said("span", "critic")), note] : []),
      ),
      make(
        "div",
        {},
        said("h3", "neighbours"),
        neighbours,
        said("p", "neighboursHint", { class: "hint" }),
        ...(count > 1 ? [said("p", "neighboursChoose", { class: "hint" })] : []),
      ),
    ),
  );
  element.addEventListener("opened", redraw); // a training may have begun, or learned, since it was open last
  return element;
}

/** A point of a seed's plane: `x` times one normal latent plus `y` times another. */
function latentAt(seed: number, x: number, y: number, size: number): Float32Array {
  const source = new Philox(seed, Stream.WRITER, 2n ** 40n);
  const [across, down] = [source.normals32(size), source.normals32(size)];
  return across.map((one, i) => x * one + y * down[i]);
}

/** Nine latents: the given one in the middle, and eight others a small random step away from it. */
function neighboursOf(latent: Float32Array, seed: number): Float32Array {
  const source = new Philox(seed, Stream.WRITING, 2n ** 40n);
  const result = repeated(latent, 9);
  for (let i = 0; i < 9; i++) {
    for (let k = 0; k < latent.length && i !== 4; k++) {
      result[i * latent.length + k] += 0.35 * source.normal32();
    }
  }
  return result;
}
