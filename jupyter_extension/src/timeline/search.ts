// Searching: words that all have to fit. A word is looked for in names, models and sessions, or is a kind or a status;
// `name:`, `kind:`, `status:`, `model:`, `session:` and `thread:` look in one place; `>100ms` and `<2s` ask for durations.

import type { Lanes } from "./lanes.ts";
import type { Spans } from "./spans.ts";

export interface Matches {
  /** For each span 1 where it fits. */
  mask: Uint8Array;
  /** How many spans that are shown fit. */
  count: number;
  /** How many of them stand before each position; one entry more than there are positions. */
  before: Int32Array;
}

type Test = (span: number) => boolean;

const UNITS: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, min: 60e9, h: 3600e9 };
const DURATION = /^([<>])(\d+(?:\.\d+)?)(ns|us|µs|ms|s|min|h)$/;
const FIELD = /^(name|kind|status|model|session|thread):(.+)$/;

/** The words of a query; what stands in quotes is one. */
export function words(query: string): string[] {
  return [...query.toLowerCase().matchAll(/((?:[a-z]+:)?"[^"]*"?|\S+)/g)]
    .map((found) => found[0].replaceAll('"', ""))
    .filter((word) => word.trim() !== "");
}

/** What fits a query, or null where it asks for nothing. */
export function search(spans: Spans, lanes: Lanes, query: string): Matches | null {
  const tests = words(query).map((word) => test(spans, word));
  if (tests.length === 0) return null;
  const mask = new Uint8Array(spans.count);
  for (let span = 0; span < spans.count; span++) if (tests.every((fits) => fits(span))) mask[span] = 1;
  return matched(lanes, mask);
}

/** The matches of a mask among what is shown. */
export function matched(lanes: Lanes, mask: Uint8Array): Matches {
  const { order } = lanes;
  const before = new Int32Array(order.length + 1);
  for (let at = 0; at < order.length; at++) before[at + 1] = before[at]! + mask[order[at]!]!;
  return { mask, before, count: before[order.length]! };
}

function test(spans: Spans, word: string): Test {
  const bound = DURATION.exec(word);
  if (bound) {
    const limit = Number(bound[2]) * UNITS[bound[3]!]!;
    return bound[1] === ">" ? (span) => spans.duration[span]! > limit : (span) => spans.duration[span]! < limit;
  }
  const field = FIELD.exec(word);
  if (field) return inField(spans, field[1]!, field[2]!);
  const places = ["name", "model", "session"].map((name) => inField(spans, name, word));
  const kind = spans.kinds.indexOf(word);
  const status = spans.statuses.indexOf(word);
  return (span) =>
    places.some((fits) => fits(span)) ||
    (kind >= 0 && spans.kind[span] === kind) ||
    (status >= 0 && spans.status[span] === status);
}

function inField(spans: Spans, field: string, part: string): Test {
  const holding = (labels: readonly string[]) => labels.map((label) => label.toLowerCase().includes(part));
  switch (field) {
    case "kind": {
      const fits = spans.kinds.map((kind) => kind.startsWith(part));
      return (span) => fits[spans.kind[span]!]!;
    }
    case "status": {
      const fits = spans.statuses.map((status) => status.startsWith(part));
      return (span) => fits[spans.status[span]!]!;
    }
    case "session": {
      const fits = holding(spans.sessions);
      return (span) => fits[spans.session[span]!]!;
    }
    case "thread": {
      const fits = holding(spans.threads);
      return (span) => fits[spans.thread[span]!] ?? false;
    }
    case "model": {
      const fits = holding(spans.models);
      return (span) => {
        const call = spans.call[span]!;
        return call >= 0 && fits[spans.calls.model[call]!]!;
      };
    }
    default: {
      const fits = holding(spans.names);
      return (span) => fits[spans.name[span]!]!;
    }
  }
}
