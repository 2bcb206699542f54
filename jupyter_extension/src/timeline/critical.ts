// What each trace waited for: the same path that mirascope_ops/analysis/critical.py finds.

import type { Lanes } from "./lanes.ts";
import type { Spans } from "./spans.ts";
import { done, PIECE, type Work } from "./work.ts";

/** The stretches of all paths, by row and start: parallel columns. */
export interface CriticalPath {
  span: Int32Array;
  start: Float64Array;
  end: Float64Array;
  /** For each row of the lanes its first stretch; one entry more than there are rows. */
  offsets: Int32Array;
  /** For each span 1 where it is on a path. */
  on: Uint8Array;
}

interface Steps {
  span: number[];
  start: number[];
  end: number[];
}

interface Children {
  offsets: Int32Array;
  spans: Int32Array;
}

/** The stretches that all traces waited for; those of one span follow each other, the latest first. */
export function criticalSteps(spans: Spans): Steps {
  return done(stepping(spans));
}

function* stepping(spans: Spans): Work<Steps> {
  const children = childrenOf(spans);
  const found: Steps = { span: [], start: [], end: [] };
  const waiting: Steps = { span: [], start: [], end: [] };
  for (let root = 0; root < spans.count; root++) {
    if (root % PIECE === 0) yield;
    if (spans.parent[root]! >= 0 || spans.open[root]) continue;
    add(waiting, root, spans.start[root]!, endOf(spans, root));
    while (waiting.span.length > 0) {
      follow(spans, children, waiting.span.pop()!, waiting.start.pop()!, waiting.end.pop()!, waiting, found);
    }
  }
  return found;
}

/** Goes back through the children of a span from the end of a stretch to its start. */
function follow(
  spans: Spans,
  children: Children,
  span: number,
  start: number,
  stop: number,
  waiting: Steps,
  found: Steps,
): void {
  let cursor = stop;
  for (const child of lastFirst(spans, children, span)) {
    if (spans.open[child]) continue;
    const end = endOf(spans, child);
    const first = Math.max(spans.start[child]!, start);
    const last = Math.min(end, cursor);
    // It took no time here, or something that ended later covers its end.
    if (last <= first || (last < end && cursor < Math.min(end, endOf(spans, span)))) continue;
    if (last < cursor) add(found, span, last, cursor);
    add(waiting, child, first, last);
    cursor = first;
  }
  if (start < cursor) add(found, span, start, cursor);
}

function add(steps: Steps, span: number, start: number, end: number): void {
  steps.span.push(span);
  steps.start.push(start);
  steps.end.push(end);
}

function endOf(spans: Spans, span: number): number {
  return spans.start[span]! + spans.duration[span]!;
}

/** The children of a span, the one that ended last first. */
function lastFirst(spans: Spans, children: Children, span: number): Int32Array {
  const own = children.spans.subarray(children.offsets[span]!, children.offsets[span + 1]!);
  if (own.length > 1) own.sort((one, other) => endOf(spans, other) - endOf(spans, one) || one - other);
  return own;
}

function childrenOf(spans: Spans): Children {
  const offsets = new Int32Array(spans.count + 1);
  for (const parent of spans.parent) if (parent >= 0) offsets[parent + 1]!++;
  for (let span = 0; span < spans.count; span++) offsets[span + 1]! += offsets[span]!;
  const next = offsets.slice();
  const below = new Int32Array(offsets[spans.count]!);
  for (let span = 0; span < spans.count; span++) {
    const parent = spans.parent[span]!;
    if (parent >= 0) below[next[parent]!++] = span;
  }
  return { offsets, spans: below };
}

/** The stretches in the order of the lanes; those of spans that are not shown are left out. */
export function criticalPath(spans: Spans, lanes: Lanes): CriticalPath {
  return done(findingPath(spans, lanes));
}

/** As `criticalPath`, a piece at a time. */
export function* findingPath(spans: Spans, lanes: Lanes): Work<CriticalPath> {
  const steps = yield* stepping(spans);
  // By position, and so by row and start; within a span they come from the latest to the first.
  const ends = new Int32Array(lanes.order.length + 1);
  const on = new Uint8Array(spans.count);
  yield;
  for (const span of steps.span) {
    on[span] = 1;
    if (lanes.position[span]! >= 0) ends[lanes.position[span]! + 1]!++;
  }
  for (let at = 1; at < ends.length; at++) ends[at]! += ends[at - 1]!;
  const size = ends[lanes.order.length]!;
  const offsets = Int32Array.from(lanes.offsets, (position) => ends[position]!);
  const found = { span: new Int32Array(size), start: new Float64Array(size), end: new Float64Array(size) };
  for (let step = 0; step < steps.span.length; step++) {
    if (step % PIECE === 0) yield;
    const position = lanes.position[steps.span[step]!]!;
    if (position < 0) continue;
    const at = --ends[position + 1]!;
    found.span[at] = steps.span[step]!;
    found.start[at] = steps.start[step]!;
    found.end[at] = steps.end[step]!;
  }
  return { ...found, offsets, on };
}
