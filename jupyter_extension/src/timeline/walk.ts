// Walking from span to span by keys.

import type { Lanes } from "./lanes.ts";
import type { Matches } from "./search.ts";
import type { Spans } from "./spans.ts";

/** The span beside one in its row, or itself. */
export function beside(lanes: Lanes, span: number, direction: number): number {
  const row = lanes.row[span]!;
  const at = lanes.position[span]! + direction;
  return row < 0 || at < lanes.offsets[row]! || at >= lanes.offsets[row + 1]! ? span : lanes.order[at]!;
}

/** The nearest caller that is shown, or the span itself. */
export function above(spans: Spans, lanes: Lanes, span: number): number {
  for (let parent = spans.parent[span]!; parent >= 0; parent = spans.parent[parent]!) {
    if (lanes.row[parent]! >= 0) return parent;
  }
  return span;
}

/** The first span that one called, or itself. */
export function below(spans: Spans, lanes: Lanes, span: number): number {
  if (spans.leaf[span]) return span;
  const end = spans.start[span]! + spans.duration[span]!;
  for (let child = span + 1; child < spans.count && spans.start[child]! <= end; child++) {
    if (spans.parent[child] === span && lanes.row[child]! >= 0) return child;
  }
  return span;
}

/** The next span after one (before it, where the direction is -1) that is shown and fits, around the end; or -1. */
export function next(lanes: Lanes, matches: Matches | null, span: number, direction: number): number {
  const { count } = { count: lanes.row.length };
  let at = span < 0 ? (direction > 0 ? -1 : count) : span;
  for (let tried = 0; tried < count; tried++) {
    at = (at + direction + count) % count;
    if (lanes.row[at]! >= 0 && (!matches || matches.mask[at])) return at;
  }
  return -1;
}
