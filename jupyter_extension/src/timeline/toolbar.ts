// The controls above the canvas.

import { MODES, type Mode } from "./colours.ts";
import { button, element } from "./dom.ts";
import { type Hidden, hides, tally } from "./filter.ts";
import { count } from "./format.ts";
import { GROUPINGS, type Grouping } from "./lanes.ts";
import { patchChildren } from "./patch.ts";
import type { Spans } from "./spans.ts";

export const VIEWS = ["time", "flame"] as const;
export type View = (typeof VIEWS)[number];

/** What the controls do. */
export interface Controls {
  search: (query: string) => void;
  next: (direction: number) => void;
  group: (grouping: Grouping) => void;
  colour: (mode: Mode) => void;
  view: (view: View) => void;
  critical: () => void;
  hide: (hidden: Hidden) => void;
  fit: () => void;
  leave: () => void;
}

const MOST_NAMES = 100;
const WORDS: Record<string, string> = { time: "Timeline", flame: "Flame", depth: "Depth" };
const nothing = (): Hidden => ({ kinds: [], statuses: [], names: [] });
const word = (text: string) => WORDS[text] ?? text[0]!.toUpperCase() + text.slice(1);

export class Toolbar {
  readonly root: HTMLElement;
  readonly input: HTMLInputElement;
  private readonly found = element("span", { class: "mc", role: "status" });
  private readonly lanes: HTMLSelectElement;
  private readonly views: HTMLElement;
  private readonly modes: HTMLElement;
  private readonly path: HTMLButtonElement;
  private readonly filters = element("details", { class: "fi" });
  private hidden = nothing();

  constructor(private readonly controls: Controls) {
    this.input = element("input", {
      type: "search",
      placeholder: "Find spans",
      "aria-label": "Find spans by name, kind, status, model or session",
      title: "Words that all fit; kind:llm  status:error  model:gpt  session:…  >100ms  <2s",
    });
    this.input.addEventListener("input", () => controls.search(this.input.value));
    this.input.addEventListener("keydown", (event) => this.searchKey(event));
    this.lanes = element("select", { "aria-label": "Lanes" }, ...GROUPINGS.map(option));
    this.lanes.addEventListener("change", () => controls.group(this.lanes.value as Grouping));
    this.views = segmented("View", VIEWS, (view) => controls.view(view));
    this.modes = segmented("Colour by", MODES, (mode) => controls.colour(mode));
    const title = "What the traces waited for (C)";
    this.path = button("Critical path", { class: "bt", "aria-pressed": "false", title }, () => controls.critical());
    this.root = element(
      "div",
      { class: "tb", role: "toolbar", "aria-label": "Timeline controls" },
      this.input,
      this.found,
      this.filters,
      element("label", { class: "lb" }, element("span", {}, "Lanes"), this.lanes),
      element("span", { class: "lb" }, element("span", { "aria-hidden": "true" }, "Colour"), this.modes),
      element("span", { class: "gap" }),
      this.views,
      this.path,
      button("Fit", { class: "bt", title: "Show everything (0)" }, () => controls.fit()),
    );
    this.filters.addEventListener("change", (event) => {
      if (event.target instanceof HTMLInputElement) this.ticked(event.target);
    });
    this.filters.addEventListener("click", (event) => {
      if (event.target instanceof HTMLButtonElement) controls.hide(nothing());
    });
    this.filters.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.filters.open = false;
      this.filters.querySelector("summary")?.focus();
      event.stopPropagation();
    });
  }

  /** Closes the filters, where the press was elsewhere. */
  pressed(target: EventTarget | null): void {
    if (!(target instanceof Node) || !this.filters.contains(target)) this.filters.open = false;
  }

  show(state: { grouping: Grouping; mode: Mode; view: View; critical: boolean; query: string }): void {
    this.lanes.value = state.grouping;
    this.lanes.disabled = state.view === "flame";
    press(this.modes, state.mode);
    press(this.views, state.view);
    this.path.setAttribute("aria-pressed", String(state.critical));
    this.path.disabled = state.view === "flame";
    if (this.input.value !== state.query) this.input.value = state.query;
  }

  /** How many spans fit the query; null where there is none. */
  matches(found: number | null): void {
    this.found.textContent = found === null ? "" : `${count(found)} found`;
  }

  /** What can be hidden, with what is. */
  filter(spans: Spans, hidden: Hidden): void {
    for (const grouping of this.lanes.options) {
      const told = { thread: spans.threads.length > 0, session: spans.sessions.some(Boolean) };
      grouping.disabled = told[grouping.value as keyof typeof told] === false;
      grouping.text = word(grouping.value) + (grouping.disabled ? " (none recorded)" : "");
    }
    const names = tally(spans.name, spans.names.length);
    const often = [...names.keys()].sort((one, other) => names[other]! - names[one]!).slice(0, MOST_NAMES);
    const part = (heading: string, key: keyof Hidden, words: readonly string[], counts: ArrayLike<number>) =>
      element(
        "fieldset",
        {},
        element("legend", {}, heading),
        ...words.flatMap((text, at) => (counts[at] ? [this.choice(hidden, key, text, counts[at]!)] : [])),
      );
    const number = hidden.kinds.length + hidden.statuses.length + hidden.names.length;
    this.hidden = hidden;
    const summary = element("summary", { class: "bt" }, number ? `Filter · ${number} hidden` : "Filter");
    const choices = element(
      "div",
      { class: "pop" },
      part("Kind", "kinds", spans.kinds, tally(spans.kind, spans.kinds.length)),
      part("Status", "statuses", spans.statuses, tally(spans.status, spans.statuses.length)),
      part(
        "Name",
        "names",
        often.map((name) => spans.names[name]!),
        often.map((name) => names[name]!),
      ),
      hides(hidden) && element("button", { type: "button", class: "bt" }, "Show all"),
    );
    patchChildren(this.filters, [summary, choices]);
    for (const box of this.filters.querySelectorAll("input")) box.checked = box.defaultChecked;
  }

  private choice(hidden: Hidden, key: keyof Hidden, text: string, number: number): HTMLElement {
    return element(
      "label",
      { "data-name": text },
      element("input", { type: "checkbox", name: key, value: text, checked: !hidden[key].includes(text) }),
      element("span", { dir: "auto" }, text || "(no name)"),
      element("i", {}, count(number)),
    );
  }

  private ticked(box: HTMLInputElement): void {
    const key = box.name as keyof Hidden;
    const others = this.hidden[key].filter((word) => word !== box.value);
    this.controls.hide({ ...this.hidden, [key]: box.checked ? others : [...others, box.value] });
  }

  private searchKey(event: KeyboardEvent): void {
    if (event.key === "Enter") this.controls.next(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      this.input.value = "";
      this.controls.search("");
      this.controls.leave();
    } else return;
    event.preventDefault();
  }
}

function option(value: string): HTMLOptionElement {
  return element("option", { value }, word(value));
}

function segmented<Value extends string>(
  label: string,
  values: readonly Value[],
  chosen: (value: Value) => void,
): HTMLElement {
  const buttons = values.map((value) =>
    button(word(value), { "data-value": value, "aria-pressed": "false" }, () => chosen(value)),
  );
  return element("span", { class: "sg", role: "group", "aria-label": label }, ...buttons);
}

function press(group: HTMLElement, value: string): void {
  for (const made of group.querySelectorAll("button")) {
    made.setAttribute("aria-pressed", String(made.dataset["value"] === value));
  }
}
