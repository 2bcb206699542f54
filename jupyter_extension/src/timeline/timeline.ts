// The timeline: what is shown and chosen, and what follows from it. Parts that draw or listen know nothing of each other.

import { Card } from "./card.ts";
import { type Colours, codesOf, errorCode, type Mode, paintsOf } from "./colours.ts";
import { type CriticalPath, criticalPath, findingPath } from "./critical.ts";
import { type Density, density } from "./density.ts";
import type { Detail, Host, Shared } from "./detail.ts";
import { element } from "./dom.ts";
import { type Hidden, shown } from "./filter.ts";
import { type Flame, flame } from "./flame.ts";
import { count, duration, offset } from "./format.ts";
import { Input, type Stage } from "./input.ts";
import { arranging, type Grouping, type Lanes } from "./lanes.ts";
import { HEAD, Layout, ROW, TOP } from "./layout.ts";
import { Longest } from "./longest.ts";
import { Painter } from "./painter.ts";
import { Panel } from "./panel.ts";
import type { Scene } from "./scene.ts";
import { type Matches, search } from "./search.ts";
import { decode, decoding, isPart, type Spans } from "./spans.ts";
import { type Stats, stats, totals } from "./stats.ts";
import { readTheme, type Theme, watchTheme } from "./theme.ts";
import { type Controls, Toolbar, type View } from "./toolbar.ts";
import { above, below, beside, next } from "./walk.ts";
import { TimeWindow } from "./window.ts";
import { done, doneBetween, type Work } from "./work.ts";

export interface Options {
  lanes: Grouping;
  color: Mode;
  view: View;
  critical_path: boolean;
  query: string;
  hidden: Hidden;
  /** Pixels; 0 for as many as the rows need, within bounds. */
  height: number;
}

const LOWEST = 400;
const HIGHEST = 560;
const CHROME = 70; // toolbar and foot
const MANY = 100_000; // spans from which on statistics wait until the pointer rests
const RESTS = 150; // milliseconds
const LABEL =
  "Timeline of spans. Arrow keys move between spans, Enter opens the details, W and S zoom, A and D pan, F fits, " +
  "M measures, slash searches.";

/** What follows from the spans, from what is hidden, and from how the rest is to be shown. */
interface Made {
  mask: Uint8Array | undefined;
  flame: Flame | null;
  spans: Spans;
  lanes: Lanes;
  longest: Longest;
  codes: Uint8Array;
  density: Density | null;
  path: CriticalPath | null;
  matches: Matches | null;
}

export class Timeline implements Stage, Controls {
  readonly root = element("section", {
    class: "tl",
    "aria-label": "Timeline",
    "data-lm-suppress-shortcuts": "true",
  });
  readonly window = new TimeWindow();
  layout!: Layout;
  width = 0;
  height = 0;
  scroll = 0;

  private readonly canvas = element("canvas", { tabindex: 0, role: "application", "aria-label": LABEL });
  private readonly stageBox = element("div", { class: "cv" }, this.canvas);
  private readonly painter = new Painter(this.canvas);
  private readonly panel = new Panel();
  private readonly card = new Card();
  private readonly toolbar = new Toolbar(this);
  private readonly spoken = element("span", { class: "sr", "aria-live": "polite" });
  private readonly told = element("span", { class: "rt" });
  private readonly missing = element("div", { class: "pt", role: "status", hidden: true });
  private readonly collapsed = new Set<string>();
  private readonly details = new Map<number, Promise<Detail>>();
  private readonly endings: (() => void)[] = [];

  private all!: Spans;
  private spans!: Spans;
  private flame: Flame | null = null;
  private mask: Uint8Array | undefined;
  private longest!: Longest;
  private colours!: Colours;
  private theme: Theme;
  private totals!: Stats;
  private path: CriticalPath | null = null;
  private matches: Matches | null = null;
  private density: Density | null = null;
  private selected = -1;
  /** While there is a first picture: which of all spans is chosen, as the other side told it. */
  private awaited = -1;
  /** How often spans were given to show. */
  private turn = 0;
  private hovered = -1;
  private pointer = -1;
  private range: readonly [number, number] | null = null;
  private frame = 0;
  private resting: ReturnType<typeof setTimeout> | undefined;

  constructor(
    parent: HTMLElement,
    private readonly host: Host,
    private readonly options: Options,
  ) {
    this.stageBox.append(this.card.root, this.missing);
    this.root.append(this.toolbar.root, this.stageBox, this.panel.root, foot(this.told), this.spoken);
    parent.append(this.root);
    this.theme = readTheme(this.root);
    new Input(this.canvas, this);
    // Styles are known only once the elements stand in the page, which is when they first have a size.
    const observer = new ResizeObserver(() => (this.theme.background ? this.moved() : this.themed()));
    observer.observe(this.stageBox);
    this.root.addEventListener("pointerdown", (event) => this.toolbar.pressed(event.target));
    // Notebook 7 asks the element that has the focus itself whether its shortcuts hold there, before those around it.
    this.root.addEventListener("focusin", (event) => {
      if (event.target instanceof Element) event.target.setAttribute("data-lm-suppress-shortcuts", "true");
    });
    this.endings.push(
      () => observer.disconnect(),
      watchTheme(() => this.themed()),
      () => cancelAnimationFrame(this.frame),
      () => clearTimeout(this.resting),
    );
  }

  /** Whether what is shown is a first picture, of which places mean nothing to the other side. */
  get isPart(): boolean {
    return this.all !== undefined && isPart(this.all);
  }

  /** Shows a payload; a later one keeps the window and what is chosen where it can. */
  load(bytes: Uint8Array): void {
    this.show(decode(bytes));
  }

  /** Shows a payload in place of a first picture, which stays alive until it is ready. */
  async replace(bytes: Uint8Array, moved?: Int32Array): Promise<void> {
    const turn = ++this.turn;
    const wanted = () => turn === this.turn;
    const all = await doneBetween(decoding(bytes), wanted);
    if (!all) return;
    this.regroup(all);
    // What is asked for meanwhile is done for the first picture, and then here once more.
    for (;;) {
      const asked = this.asked();
      const ready = await doneBetween(this.preparing(all), wanted);
      if (!ready) return;
      if (asked !== this.asked()) continue;
      this.show(all, moved, ...ready);
      return;
    }
  }

  /** Says why there is nothing to see yet, or not all. */
  wait(reason: string): void {
    if (!this.all) this.panel.waits(reason);
    this.missing.hidden = !this.isPart;
    if (this.isPart) this.missing.textContent = `${count(this.all.count)} of ${count(this.all.of)} spans; ${reason}`;
  }

  /** Shows spans; later ones keep the window and what is chosen. `moved` has for each place before the one now. */
  show(spans: Spans, moved?: Int32Array, sums = totals(spans), made?: Made): void {
    const first = !this.all;
    const wasPart = this.isPart;
    const chosen = this.selected;
    this.turn++;
    this.all = spans;
    this.details.clear();
    this.regroup(spans);
    if (this.flame) this.unpoint();
    else if (moved) {
      const now = (span: number) => (span < 0 ? -1 : (moved[span] ?? -1));
      this.panel.renumbered(this.selected, now(this.selected));
      this.selected = now(this.selected);
      this.hovered = now(this.hovered);
    }
    if (this.isPart) {
      this.awaited = wasPart || this.flame ? this.awaited : chosen;
      this.selected = -1;
      this.hovered = -1;
    } else if (wasPart) this.settle();
    if (this.selected >= this.all.count) this.selected = -1;
    if (this.hovered >= this.all.count) this.unpoint();
    this.totals = sums;
    this.missing.hidden = !this.isPart;
    this.take(made ?? done(this.making(spans)), first);
    if (this.hovered >= 0) this.hover();
    this.canvas.dataset["spans"] = String(this.all.count);
  }

  private regroup(spans: Spans): void {
    if (this.options.lanes === "session" && !spans.sessions.some(Boolean)) this.options.lanes = "depth";
  }

  /** All spans have come: what was chosen of the first picture is told, else what the other side has chosen is shown. */
  private settle(): void {
    if (this.flame) this.selected = -1;
    else if (this.selected >= 0) this.host.changed({ selected_span: this.selected, selected_range: [] });
    else if (!this.range) this.selected = this.awaited;
    this.awaited = -1;
  }

  /** Ends all that outlives the elements. */
  dispose(): void {
    this.turn++;
    for (const end of this.endings) end();
    this.root.remove();
  }

  // --- what the other side may set

  set(state: Partial<Shared>): void {
    const { options } = this;
    if (state.color !== undefined && state.color !== options.color) this.colour(state.color as Mode);
    if (state.lanes !== undefined && state.lanes !== options.lanes) this.group(state.lanes as Grouping);
    if (state.view !== undefined && state.view !== options.view) this.view(state.view as View);
    if (state.critical_path !== undefined && state.critical_path !== options.critical_path) this.critical();
    if (state.query !== undefined && state.query !== options.query) this.search(state.query);
    if (state.selected_span !== undefined && this.isPart) {
      this.awaited = state.selected_span;
      if (this.awaited >= 0) this.selected = -1;
      this.refresh();
    } else if (state.selected_span !== undefined && state.selected_span !== this.selected) {
      this.choose(state.selected_span);
    }
    const range = state.selected_range;
    if (range && (range[0] !== this.range?.[0] || range[1] !== this.range?.[1])) {
      this.select(range.length === 2 ? [range[0]!, range[1]!] : null, true);
    }
  }

  // --- controls

  search(query: string): void {
    this.options.query = query;
    this.host.changed({ query });
    this.found(search(this.spans, this.layout.lanes, query));
    this.refresh();
  }

  next(direction: number): void {
    const found = next(this.layout.lanes, this.matches, this.selected, direction);
    if (found >= 0) this.go(found);
  }

  group(lanes: Grouping): void {
    this.options.lanes = lanes;
    this.host.changed({ lanes });
    this.rebuild(false);
  }

  colour(color: Mode): void {
    this.options.color = color;
    this.host.changed({ color });
    this.paints();
    this.refresh();
  }

  view(view: View): void {
    this.options.view = view;
    this.host.changed({ view });
    this.selected = -1;
    this.hovered = -1;
    if (view === "time") this.flame = null;
    this.rebuild(true);
  }

  critical(): void {
    this.options.critical_path = !this.options.critical_path;
    this.host.changed({ critical_path: this.options.critical_path });
    this.paths();
    this.refresh();
  }

  hide(hidden: Hidden): void {
    this.options.hidden = hidden;
    this.host.changed({ hidden });
    this.rebuild(false);
  }

  fit(): void {
    this.window.fit();
    this.moved();
  }

  leave(): void {
    this.canvas.focus();
  }

  // --- the stage

  moved(): void {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  scrollTo(y: number): void {
    this.scroll = Math.max(0, Math.min(y, this.layout.height - (this.height - TOP)));
    this.moved();
  }

  point(x: number, y: number, span: number): void {
    this.pointer = x;
    this.hovered = span;
    this.card.at(x, y);
    this.hover();
    this.moved();
  }

  unpoint(): void {
    this.pointer = -1;
    this.hovered = -1;
    this.card.hide();
    this.moved();
  }

  choose(span: number): void {
    this.selected = span;
    this.range = this.flame ? this.range : null;
    this.card.hide();
    if (!this.flame) this.host.changed({ selected_span: this.isPart ? -1 : span, selected_range: [] });
    this.refresh();
    this.say();
  }

  toggle(group: number): void {
    const { label } = this.layout.lanes.groups[group]!;
    if (!this.collapsed.delete(label)) this.collapsed.add(label);
    this.layout = new Layout(this.layout.lanes, this.collapsed);
    this.scrollTo(this.scroll);
  }

  focusOn(span: number): void {
    this.window.show(this.spans.start[span]!, this.spans.start[span]! + this.spans.duration[span]!);
    this.moved();
  }

  select(range: readonly [number, number] | null, done: boolean): void {
    if (this.flame) return;
    this.range = range;
    this.selected = -1;
    this.moved();
    clearTimeout(this.resting);
    if (done) {
      this.host.changed({ selected_span: -1, selected_range: range ? [...range] : [] });
      this.refresh();
    } else if (this.all.count < MANY) this.describe();
    else this.resting = setTimeout(() => this.describe(), RESTS);
  }

  key(key: string): boolean {
    const { window, selected, spans } = this;
    const lanes = this.layout.lanes;
    const at = this.pointer >= 0 ? this.pointer / this.width : 0.5;
    const walk = (step: (span: number) => number) => this.go(selected < 0 ? next(lanes, null, -1, 1) : step(selected));
    const keys: Record<string, () => void> = {
      w: () => window.zoom(0.7, at),
      s: () => window.zoom(1 / 0.7, at),
      a: () => window.pan(-0.15 * window.width),
      d: () => window.pan(0.15 * window.width),
      f: () => this.fitChosen(),
      "0": () => window.fit(),
      m: () => this.measure(),
      c: () => this.flame || this.critical(),
      n: () => this.next(1),
      N: () => this.next(-1),
      "/": () => this.toolbar.input.focus(),
      Escape: () => (this.range ? this.select(null, true) : this.choose(-1)),
      Enter: () => this.panel.root.focus(),
      ArrowRight: () => walk((span) => beside(lanes, span, 1)),
      ArrowLeft: () => walk((span) => beside(lanes, span, -1)),
      ArrowUp: () => walk((span) => above(spans, lanes, span)),
      ArrowDown: () => walk((span) => below(spans, lanes, span)),
      PageDown: () => this.scrollTo(this.scroll + this.height - TOP - HEAD),
      PageUp: () => this.scrollTo(this.scroll - this.height + TOP + HEAD),
    };
    const act =
      keys[{ "+": "w", "=": "w", "-": "s" }[key] ?? (key === "N" ? key : key.length === 1 ? key.toLowerCase() : key)];
    act?.();
    this.moved();
    return act !== undefined;
  }

  // --- what follows

  private measure(): void {
    if (this.selected < 0 || this.flame) return;
    const start = this.spans.start[this.selected]!;
    this.select([start, start + this.spans.duration[this.selected]!], true);
  }

  private fitChosen(): void {
    if (this.range && !this.flame) this.window.show(this.range[0], this.range[1], 0.02);
    else if (this.selected >= 0) this.focusOn(this.selected);
    else this.window.fit();
  }

  /** Chooses a span and brings it into sight. */
  private go(span: number): void {
    if (span < 0) return;
    const { spans, window } = this;
    const start = spans.start[span]!;
    const took = spans.duration[span]!;
    if (start < window.from || start + took > window.to || (took / window.width) * this.width < 6) {
      const width = Math.min(window.width, Math.max(took * 6, window.width * 0.05));
      window.set(start + took / 2 - width / 2, start + took / 2 + width / 2);
    }
    const { lanes } = this.layout;
    const group = lanes.groups.find((one) => lanes.row[span]! >= one.row && lanes.row[span]! < one.row + one.rows);
    if (group && this.collapsed.delete(group.label)) this.layout = new Layout(lanes, this.collapsed);
    const y = this.layout.yOf(lanes.row[span]!);
    const room = this.height - TOP;
    if (y < this.scroll + HEAD || y + ROW > this.scroll + room) this.scrollTo(y - room / 2);
    this.choose(span);
  }

  private rebuild(fit: boolean): void {
    this.take(done(this.making(this.all)), fit);
  }

  /** What `making` depends on beside the spans. */
  private asked(): string {
    const { height: _, ...options } = this.options;
    return JSON.stringify([options, options.view === "flame" && this.range]);
  }

  private *preparing(all: Spans): Work<[Stats, Made]> {
    yield;
    const sums = totals(all);
    yield;
    return [sums, yield* this.making(all)];
  }

  private *making(all: Spans): Work<Made> {
    const { lanes: grouping, hidden, view, color, query } = this.options;
    const mask = shown(all, hidden);
    const summed = view === "flame" ? flame(all, mask, this.range) : null;
    const spans = summed?.spans ?? all;
    yield;
    const lanes = yield* summed ? arranging(spans, "depth") : arranging(all, grouping, mask);
    const longest = new Longest(lanes.took);
    yield;
    const codes = codesOf(spans, color);
    yield;
    const window = new TimeWindow();
    window.reset(spans.end);
    const { width } = this;
    const busy = width ? density(spans, window.first, window.last, width, summed ? undefined : mask) : null;
    yield;
    const matches = search(spans, lanes, query);
    yield;
    const path = this.options.critical_path && !summed ? yield* findingPath(all, lanes) : null;
    return { mask, flame: summed, spans, lanes, longest, codes, density: busy, path, matches };
  }

  private take(made: Made, fit: boolean): void {
    const { lanes } = made;
    this.mask = made.mask;
    this.flame = made.flame;
    this.spans = made.spans;
    this.layout = new Layout(lanes, this.collapsed);
    this.longest = made.longest;
    this.density = made.density;
    if (fit) this.window.reset(this.spans.end);
    else this.window.extend(this.spans.end);
    this.size(lanes);
    this.paints(made.codes);
    this.path = made.path;
    this.found(made.matches);
    this.toolbar.filter(this.all, this.options.hidden);
    this.scrollTo(this.scroll);
    this.refresh();
  }

  private size(lanes: Lanes): void {
    const { height } = this.options;
    const needed = CHROME + TOP + new Layout(lanes, this.collapsed).height;
    this.root.style.height = `${height || Math.max(LOWEST, Math.min(HIGHEST, needed))}px`;
  }

  private found(matches: Matches | null): void {
    this.matches = matches;
    this.toolbar.matches(this.matches ? this.matches.count : null);
  }

  private paths(): void {
    this.path = this.options.critical_path && !this.flame ? criticalPath(this.all, this.layout.lanes) : null;
  }

  private paints(codes = codesOf(this.spans, this.options.color)): void {
    const mode = this.options.color;
    this.colours = { codes, paints: paintsOf(this.theme, mode), error: errorCode(mode) };
  }

  private themed(): void {
    this.theme = readTheme(this.root);
    if (!this.all) return;
    this.paints();
    this.describe();
    this.moved();
  }

  private refresh(): void {
    const { lanes, color, view, critical_path, query } = this.options;
    this.toolbar.show({ grouping: lanes, mode: color, view, critical: critical_path, query });
    this.describe();
    this.moved();
  }

  private hover(): void {
    if (this.hovered >= 0) this.card.show(this.spans, this.hovered, this.flame, this.width, this.height);
    else this.card.hide();
  }

  private describe(): void {
    const { panel, selected, range, all } = this;
    if (this.flame) {
      if (selected >= 0) panel.node(this.flame, selected, this.spans.end);
      else panel.summed(this.flame, range, this.options.color, this.theme);
    } else if (range) {
      panel.range(all, range[0], range[1], stats(all, range[0], range[1], this.mask), this.host.calls.selection);
    } else if (selected >= 0) this.detail(selected);
    else panel.overview(all, this.totals, this.options.color, this.theme);
  }

  private detail(span: number): void {
    this.panel.span(this.all, span, this.isPart ? "" : this.host.calls.selected);
    let asked = this.details.get(span);
    if (!asked) {
      asked = this.host.detail(span, this.isPart);
      this.details.set(span, asked);
    }
    // Other spans that were shown meanwhile have other numbers.
    const holds = () => this.details.get(span) === asked && this.selected === span;
    asked.then(
      (detail) => holds() && !this.flame && this.panel.more(detail),
      (error: unknown) => {
        const isShown = holds();
        if (this.details.get(span) === asked) this.details.delete(span);
        if (isShown) this.panel.failed(error instanceof Error ? error.message : String(error));
      },
    );
  }

  private say(): void {
    const { spans, selected } = this;
    if (selected < 0) return;
    const failed = spans.status[selected] === spans.error ? ", error" : "";
    this.spoken.textContent =
      `${spans.kinds[spans.kind[selected]!]} ${spans.names[spans.name[selected]!]}, at ` +
      `${offset(spans.start[selected]!)}, took ${duration(spans.duration[selected]!)}${failed}`;
  }

  private paint(): void {
    this.frame = 0;
    const { clientWidth: width, clientHeight: height } = this.stageBox;
    if (!this.layout || width < 1 || height < 1) return;
    const began = performance.now();
    this.width = width;
    this.height = height;
    this.scroll = Math.max(0, Math.min(this.scroll, this.layout.height - (height - TOP)));
    if (this.density?.width !== width) {
      this.density = density(
        this.spans,
        this.window.first,
        this.window.last,
        width,
        this.flame ? undefined : this.mask,
      );
    }
    const drawn = this.painter.paint(this.scene(this.density));
    this.canvas.dataset["frames"] = String(Number(this.canvas.dataset["frames"] ?? 0) + 1);
    this.canvas.dataset["window"] = `${this.window.from} ${this.window.to}`;
    const took = (performance.now() - began).toFixed(1);
    const what = this.flame ? `${count(this.spans.count)} names of ` : "";
    this.told.textContent = `${what}${count(this.all.count)} spans · ${count(drawn)} drawn in ${took} ms`;
  }

  private scene(density: Density): Scene {
    const { spans, layout, longest, window, colours, theme, width, height, scroll, selected, hovered, pointer } = this;
    return {
      ...{ spans, layout, longest, window, density, colours, theme, width, height, scroll },
      ...{ selected, hovered, pointer, matches: this.matches, path: this.path },
      range: this.flame ? null : this.range,
      ratio: globalThis.devicePixelRatio || 1,
    };
  }
}

function foot(told: HTMLElement): HTMLElement {
  const keys: [string[], string][] = [
    [["W", "S"], "zoom"],
    [["A", "D"], "pan"],
    [["F"], "fit"],
    [["M"], "measure"],
    [["/"], "find"],
    [["←", "→", "↑", "↓"], "spans"],
  ];
  return element(
    "div",
    { class: "bb" },
    ...keys.map(([names, what]) =>
      element("span", {}, ...names.flatMap((name) => [element("kbd", {}, name), " "]), what),
    ),
    element("span", { class: "opt" }, "drag the axis to select"),
    told,
  );
}
