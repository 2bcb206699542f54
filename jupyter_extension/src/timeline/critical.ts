// What each trace waited for: the same path that mirascope_ops/analysis/critical.py finds.

import type { Lanes } from "./lanes.ts";
import type { Spans } from "./spans.ts";

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

export interface Step {
  span: number;
  start: number;
  end: number;
}

interface Children {
  offsets: Int32Array;
  spans: Int32Array;
}

/** The stretches that all traces waited for, root by root, by time. */
export function criticalSteps(spans: Spans): Step[] {
  const children = childrenOf(spans);
  const found: Step[] = [];
  for (let span = 0; span < spans.count; span++) {
    if (spans.parent[span]! < 0 && !spans.open[span]) found.push(...path(spans, children, span));
  }
  return found;
}

function path(spans: Spans, children: Children, root: number): Step[] {
  const steps: Step[] = [];
  const endOf = (span: number) => spans.start[span]! + spans.duration[span]!;
  // From the end to the start: each span with the stretch in which it counts.
  const waiting: Step[] = [{ span: root, start: spans.start[root]!, end: endOf(root) }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { span, start } = next;
    let cursor = next.end;
    const own = children.spans.subarray(children.offsets[span]!, children.offsets[span + 1]!);
    const ended = Array.from(own).filter((child) => !spans.open[child]);
    for (const child of ended.sort((one, other) => endOf(other) - endOf(one))) {
      const end = endOf(child);
      const first = Math.max(spans.start[child]!, start);
      const last = Math.min(end, cursor);
      // It took no time here, or something that ended later covers its end.
      if (last <= first || (last < end && cursor < Math.min(end, endOf(span)))) continue;
      if (last < cursor) steps.push({ span, start: last, end: cursor });
      waiting.push({ span: child, start: first, end: last });
      cursor = first;
    }
    if (start < cursor) steps.push({ span, start, end: cursor });
  }
  return steps.sort((one, other) => one.start - other.start);
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
  const steps = criticalSteps(spans).filter((step) => lanes.row[step.span]! >= 0);
  steps.sort((one, other) => lanes.row[one.span]! - lanes.row[other.span]! || one.start - other.start);
  const offsets = new Int32Array(lanes.offsets.length);
  for (const step of steps) offsets[lanes.row[step.span]! + 1]!++;
  for (let row = 1; row < offsets.length; row++) offsets[row]! += offsets[row - 1]!;
  const on = new Uint8Array(spans.count);
  for (const step of steps) on[step.span] = 1;
  return {
    span: Int32Array.from(steps, (step) => step.span),
    start: Float64Array.from(steps, (step) => step.start),
    end: Float64Array.from(steps, (step) => step.end),
    offsets,
    on,
  };
}
