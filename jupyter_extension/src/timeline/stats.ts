// Statistics of all spans, or of those that ran in a stretch of time; each model call counts once.

import { COUNTS_COST, COUNTS_LLM, COUNTS_USAGE, NO_TOKENS, type Spans } from "./spans.ts";

export interface NameStats {
  name: string;
  count: number;
  p50: number;
  p95: number;
}

export interface Stats {
  spans: number;
  errors: number;
  calls: number;
  input: number | null;
  output: number | null;
  cost: number | null;
  names: NameStats[];
  /** How many names there are beyond those listed. */
  more: number;
}

const LISTED = 8;

/** Whether a span runs in a stretch of time; one without a duration does where it stands. */
export function within(spans: Spans, span: number, from: number, to: number): boolean {
  const start = spans.start[span]!;
  if (start >= to) return false;
  const took = spans.duration[span]!;
  return took > 0 ? start + took > from : start >= from;
}

function nothing(): Stats {
  return { spans: 0, errors: 0, calls: 0, input: null, output: null, cost: null, names: [], more: 0 };
}

/** The figures of all spans, without those of names. */
export function totals(spans: Spans): Stats {
  const found = nothing();
  for (let span = 0; span < spans.count; span++) {
    found.spans++;
    if (spans.status[span] === spans.error) found.errors++;
    addCall(spans, span, found);
  }
  return found;
}

/** The statistics of the spans that run between two moments and are shown. */
export function stats(spans: Spans, from: number, to: number, shown?: Uint8Array): Stats {
  const found = nothing();
  const members: number[] = [];
  const sizes = new Uint32Array(spans.names.length);
  for (let span = 0; span < spans.count && spans.start[span]! < to; span++) {
    if ((shown && !shown[span]) || !within(spans, span, from, to)) continue;
    members.push(span);
    sizes[spans.name[span]!]!++;
    found.spans++;
    if (spans.status[span] === spans.error) found.errors++;
    addCall(spans, span, found);
  }
  byName(spans, members, sizes, found);
  return found;
}

function addCall(spans: Spans, span: number, found: Stats): void {
  const call = spans.call[span]!;
  if (call < 0) return;
  const { counts, input, output, cost } = spans.calls;
  const counted = counts[call]!;
  if (counted & COUNTS_LLM) found.calls++;
  if (counted & COUNTS_USAGE) {
    if (input[call] !== NO_TOKENS) found.input = (found.input ?? 0) + input[call]!;
    if (output[call] !== NO_TOKENS) found.output = (found.output ?? 0) + output[call]!;
  }
  if (counted & COUNTS_COST) found.cost = (found.cost ?? 0) + cost[call]!;
}

function byName(spans: Spans, members: number[], sizes: Uint32Array, found: Stats): void {
  const used = [...sizes.keys()].filter((name) => sizes[name]! > 0).sort((one, other) => sizes[other]! - sizes[one]!);
  const listed = used.slice(0, LISTED);
  const durations = new Map(listed.map((name) => [name, new Float64Array(sizes[name]!)]));
  const filled = new Uint32Array(sizes.length);
  for (const span of members) {
    const name = spans.name[span]!;
    const own = durations.get(name);
    if (own) own[filled[name]!++] = spans.duration[span]!;
  }
  found.more = used.length - listed.length;
  found.names = listed.map((name) => {
    const sorted = durations.get(name)!.sort();
    return {
      name: spans.names[name]!,
      count: sorted.length,
      p50: quantile(sorted, 0.5),
      p95: quantile(sorted, 0.95),
    };
  });
}

/** A quantile of sorted values, between two of them as pandas has it. */
export function quantile(sorted: Float64Array, part: number): number {
  const place = (sorted.length - 1) * part;
  const low = Math.floor(place);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (place - low);
}
