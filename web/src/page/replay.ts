/** Two recorded runs, each with a slider over its steps. */

import { DIGIT } from "../digits";
import { RECORDED, type Recorded, type Replay } from "../replay";
import { make, paintSheet, picture, said } from "./dom";
import { grouped, type TextKey } from "./texts";

const COLUMNS = 10;

export function replayView(replay: Replay): HTMLElement {
  return make(
    "div",
    {},
    said("h2", "replayTitle"),
    said("p", "replayHint", { class: "hint" }),
    make("div", { class: "panels" }, ...RECORDED.map((name) => panel(`replay.${name}`, replay[name]))),
  );
}

function panel(title: TextKey, { steps, pixels }: Recorded): HTMLElement {
  const size = pixels.length / steps.length;
  const canvas = picture(title, COLUMNS * 30, 2 * 30, "sheet wide");
  const last = steps.length - 1;
  const slider = make("input", { type: "range", min: 0, max: last, step: 1, value: last });
  const told = make("output");
  const show = () => {
    const chosen = Number(slider.value);
    told.textContent = grouped(steps[chosen]);
    slider.setAttribute("aria-valuetext", told.textContent);
    const shown = pixels.subarray(chosen * size, (chosen + 1) * size);
    paintSheet(canvas, { ...DIGIT, pixels: shown }, COLUMNS);
  };
  slider.addEventListener("input", show);
  show();
  const field = make("label", { class: "field" }, make("span", {}, said("span", "steps"), " ", told), slider);
  return make("div", { class: "panel" }, said("h3", title), canvas, field);
}
