/** The view "Learn": the recipe `fast` from scratch, live. */

import { DIGIT, DigitsError, digitsOfFiles } from "../digits";
import { GAMES, type GameName } from "../games";
import type { Replay } from "../replay";
import { FAST, type Labelled, type Settings } from "../trainer";
import type { Inkgan, TrainerHandle } from "./api";
import { bars, histogram, lines } from "./charts";
import { asColours, button, context, field, make, paint, paintSheet, picture, said, seedIn, wipe } from "./dom";
import { unzipped } from "./embedded";
import { replayView } from "./replay";
import { grouped, type Sentence, say, type TextKey, tell } from "./texts";
import { Training } from "./training";
import type { Progress, Shown } from "./worker";

const REMEMBERED = 400; // steps of the chart of losses
const MARGIN_NAMES = Array.from({ length: 17 }, (_, i) => (i % 4 ? "" : String(i - 8))); // of the edges of 16 bars
const BREAKS = ["none", "rate", "penalty", "frozen", "labels"] as const;

export interface LearnView {
  readonly element: HTMLElement;
  /** The training under way, if there is one. */
  readonly trainer: () => TrainerHandle | null;
}

export function learnView(inkgan: Inkgan, replay: Replay | null): LearnView {
  let data: Labelled | null = inkgan.digits;
  let history: number[][] = [[], []]; // the losses of the generator, and those of the discriminator
  const screen = makeScreen();
  const controls = makeControls(() => training.current?.change(controls.settings()));
  const about = make("p", { class: "hint" });
  const problem = make("p", { class: "problem", role: "alert" });
  const refusal = make("p", { class: "problem", role: "alert" }); // beside the buttons: the field lies far below
  const end = make("p", { class: "status", role: "status" });
  const tellData = () => say(about, "data", { count: data ? data.pixels.length / 784 : 0 });
  tellData();

  const request = () => {
    const seed = seedIn(controls.seed);
    controls.seed.setAttribute("aria-invalid", String(seed === null));
    tell(refusal, seed === null ? ["seedWrong"] : null);
    const batch = Number(controls.batch.value);
    return seed === null ? null : { seed, batch, settings: controls.settings(), ...(data ? { data } : {}) };
  };
  const training = new Training(inkgan, request, controls.settings, () => {
    history = [[], []];
  });
  const news = (progress: Progress) => {
    const { figures, steps, perSecond, shown } = progress;
    const losses = [figures.lossGenerator, figures.lossDiscriminator];
    history = losses.map((loss, i) => [...history[i], loss].slice(-REMEMBERED));
    screen.count(steps, perSecond);
    if (training.current?.complete) {
      say(end, "runComplete", { steps });
    }
    if (shown) {
      screen.show(shown);
      const series = history;
      paint(screen.losses, () => lines(screen.losses, series));
      const margins = figures.logitsReal.map((real, i) => real - figures.logitsFake[i]);
      const shares = histogram(margins, -8, 8, 16);
      paint(screen.margins, () => bars(screen.margins, shares, MARGIN_NAMES));
    }
  };
  /** Mark the button that let it run, and the one to press next: to pause while it runs, else to run. */
  const showRunning = (pressed: HTMLButtonElement | null) => {
    for (const one of [fast, slow]) {
      one.setAttribute("aria-pressed", String(one === pressed));
    }
    fast.classList.toggle("main", pressed === null);
    pause.classList.toggle("main", pressed !== null);
    pause.setAttribute("aria-disabled", String(pressed === null)); // not disabled, which would take the focus from it
  };
  const run = (pressed: HTMLButtonElement, between: number) =>
    training.run(between, news, (running) => showRunning(running ? pressed : null));
  const reset = async () => {
    await training.reset();
    screen.clear();
    tell(end, null);
  };
  const takeFiles = async (files: FileList | null | undefined) => {
    try {
      const bytes = await Promise.all(Array.from(files ?? [], unzippedDigits));
      data = digitsOfFiles(bytes);
      tell(problem, null);
      tellData();
      await reset();
    } catch (error) {
      tell(problem, faultOf(error));
    }
  };
  const fast = button("run", () => run(fast, 0));
  const slow = button("slow", () => run(slow, 900));
  const step = button("oneStep", () => training.step(news));
  const pause = button("pause", () => training.stop());
  showRunning(null);
  const files = make("input", { type: "file", multiple: true, accept: ".gz" });
  files.addEventListener("change", () => takeFiles(files.files));
  const element = make(
    "section",
    {},
    said("h2", "learnTitle"),
    said("p", "learnHint", { class: "hint" }),
    make("div", { class: "buttons" }, fast, slow, step, pause, button("reset", reset)),
    refusal,
    end,
    screen.element,
    controls.element,
    said("p", "controlsHint", { class: "hint" }),
    about,
    field("dropData", files),
    problem,
    ...(replay ? [replayView(replay)] : []),
  );
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    takeFiles(event.dataTransfer?.files);
  });
  return { element, trainer: () => training.current };
}

/** What a file of MNIST holds. */
async function unzippedDigits(file: File): Promise<Uint8Array> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (first !== 0x1f || second !== 0x8b) {
    throw new DigitsError("unzip"); // Firefox would also report an error in its console
  }
  return unzipped(file);
}

/** Why files cannot be learned from. An error that is no `DigitsError` comes from unzipping a damaged file. */
function faultOf(error: unknown): Sentence {
  return error instanceof DigitsError ? [`dataWrong.${error.fault}`, error.values] : ["dataWrong.unzip"];
}

function makeControls(changed: () => void) {
  /** A field for a number from 0 on; while it holds anything else, the usual number counts, and a sentence says so. */
  const number = (key: TextKey, usual: number, step: number) => {
    const id = `${key}-problem`;
    const input = make("input", { type: "number", value: usual, step, min: 0, "aria-describedby": id });
    const problem = make("p", { class: "problem", role: "alert", id });
    const isAllowed = () => input.valueAsNumber >= 0;
    input.addEventListener("change", () => {
      input.setAttribute("aria-invalid", String(!isAllowed()));
      tell(problem, isAllowed() ? null : ["numberWrong", { usual }]);
    });
    const element = make("div", {}, field(key, input), problem);
    return { element, input, value: () => (isAllowed() ? input.valueAsNumber : usual) };
  };
  const generatorRate = number("generatorRate", FAST.generatorRate, 0.0005);
  const discriminatorRate = number("discriminatorRate", FAST.discriminatorRate, 0.0005);
  const penalty = number("penalty", FAST.penaltyWeight, 0.1);
  const choice = (keys: readonly string[], prefix: "game" | "break") =>
    make("select", {}, ...keys.map((key) => said("option", `${prefix}.${key}` as TextKey, { value: key })));
  const game = choice(GAMES, "game");
  const fault = choice(BREAKS, "break");
  const seed = make("input", { type: "text", value: "0", inputmode: "numeric" });
  const batch = make(
    "select",
    {},
    ...[16, 32, 64].map((n) => make("option", { value: n, selected: n === 32 }, String(n))),
  );
  for (const one of [generatorRate.input, discriminatorRate.input, penalty.input, game, fault]) {
    one.addEventListener("change", changed);
  }
  const settings = (): Partial<Settings> => {
    const times = fault.value === "rate" ? 100 : 1;
    return {
      game: game.value as GameName,
      generatorRate: times * generatorRate.value(),
      discriminatorRate: times * discriminatorRate.value(),
      penaltyWeight: fault.value === "penalty" ? 0 : penalty.value(),
      frozenDiscriminator: fault.value === "frozen",
      shuffledLabels: fault.value === "labels",
    };
  };
  const element = make(
    "div",
    { class: "fields" },
    field("breakIt", fault),
    field("game", game),
    generatorRate.element,
    discriminatorRate.element,
    penalty.element,
    field("batch", batch),
    field("seed", seed),
  );
  return { element, settings, seed, batch };
}

function makeScreen() {
  const drawings = picture("drawings", 10 * 30, 4 * 30, "sheet wide");
  const losses = picture("losses", 400, 140, "chart");
  const margins = picture("margins", 400, 140, "chart");
  const wishes = picture("wishes", 10 * 30, 30, "sheet wide");
  const read = picture("read", 400, 140, "chart");
  const verdict = said("p", "doctor.waiting", { class: "status", role: "status" });
  const [steps, rate] = [make("b"), make("b")];
  const count = (done: number, perSecond: number) => {
    steps.textContent = grouped(done);
    rate.textContent = perSecond ? perSecond.toFixed(1) : "–"; // a single step has no speed
  };
  count(0, 0);
  const panel = (key: TextKey, ...inside: HTMLElement[]) => make("div", { class: "panel" }, said("h3", key), ...inside);
  const legend = make(
    "p",
    { class: "hint" },
    make("span", { class: "generator" }, "— "),
    said("span", "lossGenerator"),
    " ",
    make("span", { class: "discriminator" }, "- - "),
    said("span", "lossDiscriminator"),
  );
  const element = make(
    "div",
    {},
    make("p", { class: "figures" }, said("span", "steps"), " ", steps, " · ", said("span", "perSecond"), " ", rate),
    make(
      "div",
      { class: "panels" },
      make("div", { class: "panel first" }, said("h3", "drawings"), drawings, said("h3", "doctor"), verdict),
      panel("losses", losses, legend, said("p", "lossesHint", { class: "hint" })),
      panel("margins", margins, said("p", "marginsHint", { class: "hint" })),
      panel("wishes", wishes, said("p", "wishesHint", { class: "hint" })),
      panel("read", read, said("p", "readHint", { class: "hint" })),
    ),
  );
  return {
    element,
    losses,
    margins,
    count,
    show: (shown: Shown) => {
      paintSheet(drawings, { ...DIGIT, pixels: shown.images }, 10);
      paintWishes(wishes, shown.wishes);
      paint(read, () => bars(read, shown.agreement, [..."0123456789"], 1));
      say(verdict, `doctor.${shown.verdict}`);
    },
    clear: () => {
      count(0, 0);
      say(verdict, "doctor.waiting");
      for (const canvas of [drawings, losses, margins, wishes, read]) {
        wipe(canvas);
      }
    },
  };
}

function paintWishes(canvas: HTMLCanvasElement, wishes: Float32Array): void {
  const full = wishes.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-9);
  canvas.width = 10 * 30 - 2;
  canvas.height = 28;
  paint(canvas, () => {
    for (let i = 0; i < 10; i++) {
      context(canvas).putImageData(asColours(wishes.subarray(i * 784, (i + 1) * 784), 28, 28, full), i * 30, 0);
    }
  });
}
