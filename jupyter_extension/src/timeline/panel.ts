// The panel beside the canvas: all of the timeline, a stretch of time, a span, or a node of the flame view.

import { costBounds, type Mode } from "./colours.ts";
import type { Detail } from "./detail.ts";
import { element, icon } from "./dom.ts";
import type { Flame } from "./flame.ts";
import { count, date, duration, offset, plural, tokenFlow, usd } from "./format.ts";
import { patchChildren } from "./patch.ts";
import { isPart, NO_TOKENS, type Spans } from "./spans.ts";
import type { Stats } from "./stats.ts";
import { KINDS, type Theme } from "./theme.ts";

const MOST_NAMES = 24;

type Row = [string, string | Node];

export class Panel {
  readonly root = element("aside", { "aria-label": "Details", tabindex: 0 });
  private subject = "";

  /** All of the timeline, and what the colours say. */
  overview(spans: Spans, all: Stats, mode: Mode, theme: Theme): void {
    const sessions = spans.sessions.filter(Boolean).length;
    // Sums of a few would be taken for those of all.
    const sums: Row[] = isPart(spans)
      ? [["Spans", `${count(spans.count)} of ${count(spans.of)}`]]
      : [
          ...(sessions ? ([["Sessions", count(sessions)]] as Row[]) : []),
          ["Traces", count(spans.traces)],
          ...figures(all),
        ];
    this.show(
      "all",
      element("h4", {}, "Timeline"),
      note("Select a span, or drag along the axis to measure a stretch of time."),
      table([["Start", date(spans.origin)], ["Length", duration(spans.end)], ...sums]),
      ...legend(spans, mode, theme),
    );
  }

  /** The flame view, of everything or of a stretch of time. */
  summed(flame: Flame, range: readonly [number, number] | null, mode: Mode, theme: Theme): void {
    const { spans, count: counts, errors } = flame;
    const sum = (values: Uint32Array) => values.reduce((all, one) => all + one, 0);
    this.show(
      "flame",
      element("h4", {}, "Flame"),
      note("Spans added up by what called them: width is the time that they took in all."),
      table([
        ...(range ? ([["Between", `${offset(range[0])} and ${offset(range[1])}`]] as Row[]) : []),
        ["Spans", count(sum(counts))],
        ["Names", count(spans.count)],
        ["Time", duration(spans.end)],
        ["Errors", failures(sum(errors))],
      ]),
      ...legend(spans, mode, theme),
    );
  }

  /** A stretch of time: figures, then names with their durations. */
  range(spans: Spans, from: number, to: number, found: Stats, call: string): void {
    this.show(
      "range",
      element("h4", {}, "Selection"),
      note(`${offset(from)} to ${offset(to)}`),
      isPart(spans) && note(`Of ${count(spans.count)} of ${count(spans.of)} spans`),
      table([["Length", duration(to - from)], ...figures(found)]),
      found.names.length > 0 && names(found),
      found.more > 0 && note(`${plural(found.more, "more name")}`),
      call && code(call),
    );
  }

  /** A span: what the columns say, at once; the rest when it comes. */
  span(spans: Spans, span: number, call: string): void {
    const above = spans.parent[span]!;
    const where = [
      spans.sessions[spans.session[span]!] ?? "",
      above >= 0 ? `in ${spans.names[spans.name[above]!] || "(no name)"}` : "",
    ];
    this.show(
      spanSubject(span),
      title(spans, span),
      note(where.filter(Boolean).join(" · ")),
      table(facts(spans, span)),
      element("div", { class: "more", "aria-busy": "true" }, note("Reading …")),
      call && code(call),
    );
  }

  /** What was asked for the span that is shown. */
  more(detail: Detail): void {
    this.fill(
      detail.error &&
        element(
          "div",
          { class: "xe" },
          element("b", { dir: "auto" }, detail.error.title),
          detail.error.traceback && element("pre", { tabindex: 0 }, detail.error.traceback),
        ),
      ...detail.messages.map((message) => said(message.role, message.text, message.calls)),
      ...detail.values.flatMap(([label, text]) => [element("h5", {}, label), element("pre", { dir: "auto" }, text)]),
      ...detail.annotations.map((text) => said("Annotation", text, [])),
      detail.facts.length > 0 && table(detail.facts),
      detail.events.length > 0 && folded("events", plural(detail.events.length, "event"), events(detail.events), true),
      detail.attributes.length > 0 &&
        folded("attributes", plural(detail.attributes.length, "attribute"), pairs(detail.attributes)),
      detail.cut > 0 && note(`${plural(detail.cut, "long value")} cut here`),
    );
  }

  /** Why there is no more to show. */
  failed(reason: string): void {
    this.fill(note(reason));
  }

  /** Why there is nothing to show yet. */
  waits(reason: string): void {
    this.show("nothing", element("h4", {}, "Timeline"), note(reason));
  }

  /** A node of the flame view. */
  node(flame: Flame, node: number, all: number): void {
    const { spans } = flame;
    const number = flame.count[node]!;
    const total = flame.total[node]!;
    this.show(
      `node ${node}`,
      title(spans, node),
      note("All spans of this name, called in this way"),
      table([
        ["Spans", count(number)],
        ["Total", duration(total)],
        ["Self", duration(flame.self[node]!)],
        ["Mean", duration(total / number)],
        ["Of all time", `${((100 * total) / Math.max(1, all)).toFixed(1)} %`],
        ["Errors", failures(flame.errors[node]!)],
      ]),
    );
  }

  /** A span that is shown has another number now. */
  renumbered(before: number, now: number): void {
    if (this.subject === spanSubject(before)) this.subject = spanSubject(now);
  }

  /** Shows something; where it was shown already, it stays where it was scrolled to, with the details that had come. */
  private show(subject: string, ...told: (Node | string | false | null)[]): void {
    const children = told.filter((child): child is Node | string => Boolean(child));
    const nodes = children.map((child) => (typeof child === "string" ? document.createTextNode(child) : child));
    if (subject !== this.subject) {
      this.subject = subject;
      this.root.replaceChildren(...nodes);
      this.root.scrollTop = 0;
      return;
    }
    const more = this.root.querySelector(".more");
    patchChildren(this.root, more ? nodes.map((node) => (isMore(node) ? more.cloneNode(true) : node)) : nodes);
  }

  private fill(...children: (Node | false | null)[]): void {
    const more = this.root.querySelector(".more");
    more?.removeAttribute("aria-busy");
    if (more)
      patchChildren(
        more,
        children.filter((child): child is Node => Boolean(child)),
      );
  }
}

const spanSubject = (span: number) => `span ${span}`;
const isMore = (node: Node) => node instanceof Element && node.classList.contains("more");

/** What a span's columns say. */
export function facts(spans: Spans, span: number): Row[] {
  const rows: Row[] = [
    ["Kind", spans.kinds[spans.kind[span]!]!],
    ["Start", offset(spans.start[span]!)],
    ["Duration", spans.open[span] ? `${duration(spans.duration[span]!)} so far` : duration(spans.duration[span]!)],
  ];
  const call = spans.call[span]!;
  if (call >= 0) {
    const { calls } = spans;
    const model = spans.models[calls.model[call]!];
    if (calls.first[call]! >= 0) rows.push(["First token", duration(calls.first[call]!)]);
    if (model) rows.push(["Model", model]);
    const flow = tokenFlow(known(calls.input[call]!), known(calls.output[call]!));
    if (flow) rows.push(["Tokens", flow]);
    if (!Number.isNaN(calls.cost[call]!)) rows.push(["Cost", usd(calls.cost[call]!)]);
  }
  return rows;
}

/** What a status says, as sign and word; nothing where all is well. */
export function state(spans: Spans, span: number): HTMLElement | false {
  if (spans.status[span] === spans.error) return element("span", { class: "er" }, "✕ error");
  if (!spans.open[span]) return false;
  const word = spans.statuses[spans.status[span]!] === "interrupted" ? "◐ interrupted" : "● running";
  return element("span", { class: "ru" }, word);
}

function known(tokens: number): number | null {
  return tokens === NO_TOKENS ? null : tokens;
}

function title(spans: Spans, span: number): HTMLElement {
  const name = spans.names[spans.name[span]!] || "(no name)";
  const kind = spans.kinds[spans.kind[span]!]!;
  return element("h4", {}, icon(kind), element("span", { dir: "auto" }, name), state(spans, span));
}

function figures(found: Stats): Row[] {
  const rows: Row[] = [
    ["Spans", count(found.spans)],
    ["LLM calls", count(found.calls)],
    ["Errors", failures(found.errors)],
  ];
  const flow = tokenFlow(found.input, found.output);
  if (flow) rows.push(["Tokens", flow]);
  if (found.cost !== null) rows.push(["Cost", usd(found.cost)]);
  return rows;
}

function failures(number: number): string | Node {
  return number ? element("span", { class: "er" }, `✕ ${count(number)}`) : "0";
}

function note(text: string): HTMLElement {
  return element("p", { class: "me" }, text);
}

function code(text: string): HTMLElement {
  return element("code", { class: "code" }, text);
}

function table(rows: readonly (readonly [string, string | Node])[]): HTMLElement {
  const body = rows.map(([label, value]) =>
    element("tr", {}, element("th", { scope: "row" }, label), element("td", { dir: "auto" }, value)),
  );
  return element("table", {}, element("tbody", {}, ...body));
}

function names(found: Stats): HTMLElement {
  const heads = ["Name", "n", "p50", "p95"].map((text) => element("th", { scope: "col" }, text));
  const rows = found.names.map((row) =>
    element(
      "tr",
      {},
      element("td", { title: row.name, dir: "auto" }, row.name || "(no name)"),
      ...[count(row.count), duration(row.p50), duration(row.p95)].map((text) => element("td", {}, text)),
    ),
  );
  return element(
    "table",
    { class: "by" },
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...rows),
  );
}

function said(role: string, text: string, calls: string[]): HTMLElement {
  return element(
    "div",
    { class: "msg" },
    element("b", {}, role),
    text && element("div", { dir: "auto" }, text),
    ...calls.map((call) => element("code", { class: "code" }, call)),
  );
}

function folded(name: string, summary: string, content: Node, open = false): HTMLElement {
  return element("details", { "data-name": name, open }, element("summary", {}, summary), content);
}

function events(rows: Detail["events"]): HTMLElement {
  return element(
    "dl",
    {},
    ...rows.flatMap(([when, name, attributes]) => [
      element("dt", {}, when),
      element("dd", { dir: "auto" }, name, attributes && element("code", {}, ` ${attributes}`)),
    ]),
  );
}

function pairs(rows: [string, string][]): HTMLElement {
  return element(
    "dl",
    { class: "at" },
    ...rows.flatMap(([key, value]) => [element("dt", {}, key), element("dd", { dir: "auto" }, value)]),
  );
}

function legend(spans: Spans, mode: Mode, theme: Theme): HTMLElement[] {
  const box = (colour: string) => {
    const made = element("span", { class: "bx" });
    made.style.background = colour;
    return made;
  };
  const entry = (mark: Node, text: string) => element("span", {}, mark, text);
  const failed = spans.status.includes(spans.error) ? [element("span", { class: "er" }, "✕ error")] : [];
  const listed = (heading: string, ...entries: Node[]) => [
    element("h5", {}, heading),
    element("div", { class: "lgd" }, ...entries),
  ];
  if (mode === "kind") {
    const kinds = spans.kinds.filter((_, kind) => spans.kind.includes(kind));
    return listed("Kinds", ...kinds.map((kind) => entry(icon(kind), kind)), ...failed);
  }
  if (mode === "status")
    return listed("Status", entry(box(theme.quiet), "ok"), ...failed, entry(box(theme.accent), "running"));
  if (mode === "cost") {
    const bounds = costBounds(spans);
    if (bounds.length === 0) return [note("No span says what it cost.")];
    return listed(
      "Cost of a call",
      element("span", {}, usd(bounds[0]!)),
      element("span", { class: "heat" }, ...theme.heat.map(box)),
      element("span", {}, usd(bounds[bounds.length - 1]!)),
    );
  }
  const shown = spans.names.slice(0, MOST_NAMES).map((name, at) => entry(box(theme.kinds[at % KINDS.length]!), name));
  return listed("Names", ...shown);
}
