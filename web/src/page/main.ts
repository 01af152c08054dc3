/** The page: loads what it holds, and shows its four views. */

import workerSource from "worker-source";
import { Inkgan } from "./api";
import { button, make, repaint, said } from "./dom";
import { contentsOfPage, DamagedPage } from "./embedded";
import { exploreView } from "./explore";
import { handView } from "./hand";
import { learnView } from "./learn";
import { type Language, label, preferredLanguage, say, speak, spokenLanguage, TAGS, type TextKey, tell } from "./texts";
import { writeView } from "./write";

declare global {
  interface Window {
    inkgan: Promise<Inkgan> | Inkgan;
  }
}

/** A view, which its name in the address opens: `page.html#learn`. */
type View = readonly [name: string, key: TextKey, make: () => HTMLElement];

/** What the address asks for after its #: a view, a language (`lang=zh`), or both with & between them. */
function asked(): URLSearchParams {
  return new URLSearchParams(location.hash.slice(1));
}

/** The language that the address asks for, if it asks for one. */
function askedLanguage(): Language | null {
  const language = asked().get("lang");
  return language === "zh" || language === "en" ? language : null;
}

/**
 * Tabs, one of them open. Arrow keys go from one to the next, Home and End to the first and last. A view is made when
 * it is first opened, and gets the event "opened" then and each later time.
 */
function tabs(views: readonly View[]): HTMLElement {
  const list = make("div", { role: "tablist", class: "tabs" });
  label(list, "tabs");
  const panels = views.map((_, i) =>
    make("div", { role: "tabpanel", id: `panel-${i}`, "aria-labelledby": `tab-${i}`, hidden: true }),
  );
  const made = new Set<number>();
  const open = (chosen: number, focus: boolean) => {
    if (!made.has(chosen)) {
      made.add(chosen);
      panels[chosen].append(views[chosen][2]());
    }
    for (const [i, one] of heads.entries()) {
      one.setAttribute("aria-selected", String(i === chosen));
      one.tabIndex = i === chosen ? 0 : -1;
      panels[i].hidden = i !== chosen;
    }
    panels[chosen].firstElementChild?.dispatchEvent(new Event("opened"));
    repaint(); // what was painted while hidden did not know its width
    if (focus) {
      heads[chosen].focus();
    }
  };
  const heads = views.map(([, key], i) => {
    const head = said("button", key, { type: "button", role: "tab", id: `tab-${i}`, "aria-controls": `panel-${i}` });
    head.addEventListener("click", () => open(i, false));
    head.addEventListener("keydown", (event) => {
      const count = views.length;
      const next = { ArrowRight: (i + 1) % count, ArrowLeft: (i + count - 1) % count, Home: 0, End: count - 1 }[
        event.key
      ];
      if (next !== undefined) {
        event.preventDefault();
        open(next, true);
      }
    });
    return head;
  });
  list.append(...heads);
  list.hidden = views.length === 1; // there is nothing to choose
  const askedView = () => views.findIndex(([name]) => asked().has(name));
  open(Math.max(0, askedView()), false);
  addEventListener("hashchange", () => askedView() >= 0 && open(askedView(), false));
  return make("div", {}, list, ...panels);
}

function header(): HTMLElement {
  const other = (): Language => (spokenLanguage() === "en" ? "zh" : "en");
  const choose = (chosen: Language) => {
    speak(chosen);
    language.lang = TAGS[other()]; // the button says the name of that language in it
  };
  const language = button("language", () => choose(other()));
  choose(spokenLanguage());
  addEventListener("hashchange", () => choose(askedLanguage() ?? spokenLanguage()));
  const theme = make("button", { type: "button" }, make("span", { "aria-hidden": "true" }, "◐"));
  label(theme, "theme");
  theme.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = (root.dataset.theme ?? (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
    repaint();
  });
  return make(
    "header",
    {},
    said("h1", "title"),
    make("div", { class: "switches" }, theme, language),
    said("p", "intro"),
  );
}

/** Give the page its title: in the tab of the browser, and at its top. */
function entitle(key: TextKey): void {
  for (const place of document.querySelectorAll("title, h1")) {
    say(place, key);
  }
}

/** A place that says why what was pressed had no effect, such as too little memory, until something else is pressed. */
function failures(): HTMLElement {
  const problem = make("div", { class: "problem failure", role: "alert" });
  addEventListener("unhandledrejection", ({ reason }) => {
    tell(problem, ["failed", { reason: reason instanceof Error ? reason.message : String(reason) }]);
  });
  for (const kind of ["click", "input"]) {
    addEventListener(kind, () => tell(problem, null));
  }
  return problem;
}

async function start(place: HTMLElement): Promise<Inkgan> {
  const main = make("main", {}, said("p", "loading", { role: "status" }));
  place.replaceChildren(header(), main);
  entitle("title");
  try {
    const contents = await contentsOfPage();
    const inkgan = new Inkgan(workerSource, contents);
    const kernel = await inkgan.ready;
    entitle(inkgan.canWrite ? "title" : "titleOfPictures");
    const views: View[] = [];
    const learn = inkgan.digits ? learnView(inkgan, contents.replay) : null;
    if (inkgan.canWrite) {
      views.push(["write", "tabWrite", () => writeView(inkgan)]);
    }
    views.push(["explore", "tabExplore", () => exploreView(inkgan, learn && (() => learn.trainer()))]);
    const { width, height, channels } = inkgan.description.image;
    if (inkgan.canWrite && width === 28 && height === 28) {
      views.push(["hand", "tabHand", () => handView(inkgan)]);
    }
    if (learn) {
      views.push(["learn", "tabLearn", () => learn.element]);
    }
    // A page with real digits has a footer that credits their authors; a page may have only one.
    const footer = document.querySelector("footer") ?? make("footer", {});
    footer.prepend(said("p", "about", {}, { name: inkgan.name, kernel }));
    const note = inkgan.canWrite ? [] : [said("p", channels === 1 ? "noWriting" : "noWritingInColour")];
    main.replaceChildren(...note, tabs(views), failures());
    place.append(footer);
    return inkgan;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const key = error instanceof DamagedPage ? "damaged" : "broken";
    main.replaceChildren(said("p", key, { role: "alert" }, { reason }));
    throw error;
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
addEventListener("resize", repaint); // charts are as wide as their place
speak(askedLanguage() ?? preferredLanguage());
const place = document.getElementById("inkgan");
// An older browser cannot unpack the model: what the file says about such browsers stays.
if (place && "DecompressionStream" in window) {
  const starting = start(place);
  window.inkgan = starting;
  starting.then(
    (inkgan) => {
      window.inkgan = inkgan;
    },
    () => undefined,
  );
}
