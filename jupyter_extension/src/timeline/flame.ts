// The flame view: spans added up by what called them. A node is a name below the names that called it; its width is the
// time that all its spans took, or that all below it took where they ran at once.

import { leaves, NO_TOKENS, type Spans } from "./spans.ts";
import { within } from "./stats.ts";

export interface Flame {
  /** The nodes as spans, so that lanes, painter and search take them. */
  spans: Spans;
  /** For each node how many spans it stands for, how many of them failed, and their times. */
  count: Uint32Array;
  errors: Uint32Array;
  total: Float64Array;
  self: Float64Array;
}

interface Node {
  parent: number;
  name: number;
  kind: number;
  count: number;
  errors: number;
  total: number;
  below: number;
  value: number;
  start: number;
  children: number[];
}

/** Adds up the spans that are shown and, where a stretch of time is given, run in it. */
export function flame(spans: Spans, shown?: Uint8Array, range?: readonly [number, number] | null): Flame {
  const nodes = added(spans, shown, range);
  const roots = nodes.flatMap((node, index) => (node.parent < 0 ? [index] : []));
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index]!;
    node.value = Math.max(node.total, node.below, 1);
    if (node.parent >= 0) nodes[node.parent]!.below += node.value;
  }
  // From left to right, the widest first.
  const wait: [number[], number][] = [[roots, 0]];
  for (let next = wait.pop(); next; next = wait.pop()) {
    let start = next[1];
    for (const index of next[0].sort((one, other) => nodes[other]!.value - nodes[one]!.value)) {
      const node = nodes[index]!;
      node.start = start;
      start += node.value;
      if (node.children.length) wait.push([node.children, node.start]);
    }
  }
  return laidOut(spans, nodes);
}

function added(spans: Spans, shown?: Uint8Array, range?: readonly [number, number] | null): Node[] {
  const nodes: Node[] = [];
  const known = new Map<number, number>();
  const nodeOf = new Int32Array(spans.count).fill(-1);
  const names = spans.names.length;
  for (let span = 0; span < spans.count; span++) {
    if (shown && !shown[span]) continue;
    if (range && !within(spans, span, range[0], range[1])) continue;
    let above = spans.parent[span]!;
    while (above >= 0 && nodeOf[above]! < 0) above = spans.parent[above]!;
    const parent = above >= 0 ? nodeOf[above]! : -1;
    const key = (parent + 1) * names + spans.name[span]!;
    let index = known.get(key);
    if (index === undefined) {
      index = nodes.length;
      known.set(key, index);
      const name = spans.name[span]!;
      const kind = spans.kind[span]!;
      nodes.push({ parent, name, kind, count: 0, errors: 0, total: 0, below: 0, value: 0, start: 0, children: [] });
      if (parent >= 0) nodes[parent]!.children.push(index);
    }
    nodeOf[span] = index;
    const node = nodes[index]!;
    node.count++;
    node.total += spans.duration[span]!;
    if (spans.status[span] === spans.error) node.errors++;
  }
  return nodes;
}

function laidOut(spans: Spans, nodes: Node[]): Flame {
  // By start; a parent, which is older than its children, before them.
  const order = [...nodes.keys()].sort((one, other) => nodes[one]!.start - nodes[other]!.start || one - other);
  const place = new Int32Array(nodes.length);
  order.forEach((index, at) => {
    place[index] = at;
  });
  const sorted = order.map((index) => nodes[index]!);
  const size = nodes.length;
  const parent = Int32Array.from(sorted, (node) => (node.parent < 0 ? -1 : place[node.parent]!));
  const none = new Uint8Array(size);
  const end = nodes.reduce((sum, node) => (node.parent < 0 ? Math.max(sum, node.start + node.value) : sum), 0);
  return {
    spans: {
      ...spans,
      count: size,
      end,
      start: Float64Array.from(sorted, (node) => node.start),
      duration: Float64Array.from(sorted, (node) => node.value),
      parent,
      name: Uint32Array.from(sorted, (node) => node.name),
      kind: Uint8Array.from(sorted, (node) => node.kind),
      // A node is red where all its spans failed.
      status: Uint8Array.from(sorted, (node) => (node.errors === node.count ? spans.error : 0)),
      session: none,
      thread: none,
      open: none,
      leaf: leaves(parent),
      call: new Int32Array(size).fill(-1),
      calls: {
        span: new Int32Array(0),
        model: none.subarray(0, 0),
        input: new Uint32Array(0).fill(NO_TOKENS),
        output: new Uint32Array(0),
        cost: new Float64Array(0),
        first: new Float64Array(0),
        counts: none.subarray(0, 0),
      },
      events: { span: new Int32Array(0), time: new Float64Array(0), name: none.subarray(0, 0) },
    },
    count: Uint32Array.from(sorted, (node) => node.count),
    errors: Uint32Array.from(sorted, (node) => node.errors),
    total: Float64Array.from(sorted, (node) => node.total),
    self: Float64Array.from(sorted, (node) => Math.max(0, node.total - node.below)),
  };
}
