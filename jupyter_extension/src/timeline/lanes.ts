// Lanes: which row each span stands in. Rows belong to groups (a session, a thread, a name, or all spans); within a
// group what a span called stands below it, and nothing overlaps. Everything is flat arrays: a million spans are
// ordered by row and start, so that a row is a part of each array and a binary search finds what a window shows.

import type { Codes, Spans } from "./spans.ts";
import { done, PIECE, type Work } from "./work.ts";

export const GROUPINGS = ["session", "depth", "thread", "name"] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface Group {
  label: string;
  /** Its first row, and how many rows it has. */
  row: number;
  rows: number;
  spans: number;
  errors: number;
}

export interface Lanes {
  groups: Group[];
  /** For each row the position of its first span; one entry more than there are rows. */
  offsets: Int32Array;
  /** For each position its span. */
  order: Int32Array;
  /** For each position the span's start. */
  starts: Float64Array;
  /** For each position the latest end in its row so far: sorted within the row, also where spans overlap. */
  reach: Float64Array;
  /** For each position how long the span took. */
  took: Float64Array;
  /** The time that all spans before each position took; one entry more than there are positions. */
  busy: Float64Array;
  /** How many errors stand before each position; one entry more than there are positions. */
  errors: Int32Array;
  /** For each span its position, or -1 where it is not shown. */
  position: Int32Array;
  /** For each span its row, or -1. */
  row: Int32Array;
}

// A group with more rows than anybody scrolls through: what comes later shares the last one.
const MOST_ROWS = 2000;

/** Arranges the spans for which `shown` is not 0 (all, without it). */
export function arrange(spans: Spans, grouping: Grouping, shown?: Uint8Array): Lanes {
  return done(arranging(spans, grouping, shown));
}

/** As `arrange`, a piece at a time. */
export function* arranging(spans: Spans, grouping: Grouping, shown?: Uint8Array): Work<Lanes> {
  const group = grouped(spans, grouping);
  const levels = new Int32Array(spans.count);
  const heights = new Int32Array(group.labels.length);
  if (grouping === "name") yield* packed(spans, group.of, heights, levels, shown);
  else yield* nested(spans, group.of, heights, levels, shown);
  return yield* ordered(spans, group, heights, levels, shown);
}

const NO_THREADS = "No span tells its thread";

interface Grouped {
  labels: string[];
  of: Codes;
}

function grouped(spans: Spans, grouping: Grouping): Grouped {
  if (grouping === "session") return by(spans.session, labelled(spans.sessions, "no session"));
  if (grouping === "thread" && spans.threads.length) return by(spans.thread, labelled(spans.threads, "thread unknown"));
  if (grouping === "thread") return { labels: [NO_THREADS], of: new Uint8Array(spans.count) };
  if (grouping === "name") return by(spans.name, labelled(spans.names, "(no name)"));
  return { labels: [""], of: new Uint8Array(spans.count) };
}

function by(codes: Codes, labels: string[]): Grouped {
  return { labels, of: codes };
}

function labelled(labels: readonly string[], none: string): string[] {
  return labels.map((label) => label || none);
}

/** Spans with what is below them in the same group: where each tree begins, how high it is and when it is over. */
interface Trees {
  count: number;
  /** For each span its tree, or -1 where it is not shown. */
  of: Int32Array;
  root: Int32Array;
  height: Int32Array;
  end: Float64Array;
}

/** Spans below what called them, in one piece for each tree; trees that do not overlap share rows. */
function* nested(
  spans: Spans,
  groupOf: Codes,
  heights: Int32Array,
  levels: Int32Array,
  shown?: Uint8Array,
): Work<void> {
  const trees = yield* planted(spans, groupOf, levels, shown);
  const bases = yield* stacked(trees, spans.start, groupOf, heights);
  for (let span = 0; span < spans.count; span++) {
    if (span % PIECE === 0) yield;
    const tree = trees.of[span]!;
    if (tree < 0) continue;
    levels[span] = Math.min(levels[span]! + bases[tree]!, MOST_ROWS);
    const of = groupOf[span]!;
    if (levels[span]! >= heights[of]!) heights[of] = levels[span]! + 1;
  }
}

/** Gives each span its level within its tree: below its caller's, and below what runs at the same time. */
function* planted(spans: Spans, groupOf: Codes, levels: Int32Array, shown?: Uint8Array): Work<Trees> {
  const { count, start, duration, parent } = spans;
  const trees: Trees = {
    count: 0,
    of: new Int32Array(count).fill(-1),
    root: new Int32Array(count),
    height: new Int32Array(count),
    end: new Float64Array(count),
  };
  // Rows of all trees in one pool: when each is free again, and which one is below it.
  const rowOf = new Int32Array(count);
  const free = new Float64Array(count);
  const lower = new Int32Array(count).fill(-1);
  let rows = 0;
  for (let span = 0; span < count; span++) {
    if (span % PIECE === 0) yield;
    if (shown && !shown[span]) continue;
    let above = parent[span]!;
    // Where the caller is not shown, the span stands below the nearest one that is.
    while (shown && above >= 0 && !shown[above]) above = parent[above]!;
    const inside = above >= 0 && trees.of[above]! >= 0 && groupOf[above] === groupOf[span];
    const tree = inside ? trees.of[above]! : trees.count++;
    let level = 0;
    let row = -1;
    if (inside) {
      let upper = rowOf[above]!;
      level = levels[above]! + 1;
      row = lower[upper]!;
      while (row >= 0 && free[row]! > start[span]! && level < MOST_ROWS) {
        upper = row;
        row = lower[upper]!;
        level++;
      }
      if (row < 0) lower[upper] = rows;
    } else trees.root[tree] = span;
    if (row < 0) row = rows++;
    const end = start[span]! + duration[span]!;
    if (end > free[row]!) free[row] = end;
    if (end > trees.end[tree]!) trees.end[tree] = end;
    if (level >= trees.height[tree]!) trees.height[tree] = level + 1;
    rowOf[span] = row;
    trees.of[span] = tree;
    levels[span] = level;
  }
  return trees;
}

/** For each tree the row of its group in which its root stands: the first from which on all its rows are free. */
function* stacked(trees: Trees, start: Float64Array, groupOf: Codes, heights: Int32Array): Work<Int32Array> {
  const free: number[][] = Array.from(heights, () => []);
  const bases = new Int32Array(trees.count);
  for (let tree = 0; tree < trees.count; tree++) {
    if (tree % PIECE === 0) yield;
    const root = trees.root[tree]!;
    const busy = free[groupOf[root]!]!;
    const height = trees.height[tree]!;
    let base = 0;
    for (let row = 0; row < base + height && row < busy.length && base < MOST_ROWS; row++) {
      if (busy[row]! > start[root]!) base = row + 1;
    }
    while (busy.length < base + height) busy.push(Number.NEGATIVE_INFINITY);
    for (let row = base; row < base + height; row++) busy[row] = Math.max(busy[row]!, trees.end[tree]!);
    bases[tree] = base;
  }
  return bases;
}

/** Each span in the first row of its group that is free. */
function* packed(
  spans: Spans,
  groupOf: Codes,
  heights: Int32Array,
  levels: Int32Array,
  shown?: Uint8Array,
): Work<void> {
  const free: number[][] = Array.from(heights, () => []);
  for (let span = 0; span < spans.count; span++) {
    if (span % PIECE === 0) yield;
    if (shown && !shown[span]) continue;
    const of = groupOf[span]!;
    const busy = free[of]!;
    let level = 0;
    while (level < busy.length && busy[level]! > spans.start[span]! && level < MOST_ROWS) level++;
    busy[level] = Math.max(busy[level] ?? 0, spans.start[span]! + spans.duration[span]!);
    levels[span] = level;
    heights[of] = Math.max(heights[of]!, level + 1);
  }
}

/** Puts spans into the order of rows and starts; groups come in the order of their first spans. */
function* ordered(
  spans: Spans,
  group: Grouped,
  heights: Int32Array,
  levels: Int32Array,
  shown?: Uint8Array,
): Work<Lanes> {
  const { count, start, duration, status, error } = spans;
  const groups: Group[] = [];
  const place = new Int32Array(group.labels.length).fill(-1);
  const row = new Int32Array(count).fill(-1);
  let rows = 0;
  for (let span = 0; span < count; span++) {
    if (span % PIECE === 0) yield;
    if (shown && !shown[span]) continue;
    const of = group.of[span]!;
    if (place[of] === -1) {
      place[of] = groups.length;
      groups.push({ label: group.labels[of]!, row: rows, rows: heights[of]!, spans: 0, errors: 0 });
      rows += heights[of]!;
    }
    const own = groups[place[of]!]!;
    own.spans++;
    if (status[span] === error) own.errors++;
    row[span] = own.row + levels[span]!;
  }
  const offsets = new Int32Array(rows + 1);
  for (const at of row) if (at >= 0) offsets[at + 1]!++;
  for (let at = 0; at < rows; at++) offsets[at + 1]! += offsets[at]!;
  const total = offsets[rows]!;
  const next = offsets.slice();
  const order = new Int32Array(total);
  const position = new Int32Array(count).fill(-1);
  for (let span = 0; span < count; span++) {
    if (span % PIECE === 0) yield;
    const at = row[span]!;
    if (at < 0) continue;
    position[span] = next[at]!++;
    order[position[span]!] = span;
  }
  const starts = new Float64Array(total);
  const reach = new Float64Array(total);
  const took = new Float64Array(total);
  const busy = new Float64Array(total + 1);
  const errors = new Int32Array(total + 1);
  for (let at = 0; at < rows; at++) {
    let latest = Number.NEGATIVE_INFINITY;
    for (let index = offsets[at]!; index < offsets[at + 1]!; index++) {
      if (index % PIECE === 0) yield;
      const span = order[index]!;
      starts[index] = start[span]!;
      took[index] = duration[span]!;
      latest = Math.max(latest, start[span]! + duration[span]!);
      reach[index] = latest;
      busy[index + 1] = busy[index]! + duration[span]!;
      errors[index + 1] = errors[index]! + (status[span] === error ? 1 : 0);
    }
  }
  return { groups, offsets, order, starts, reach, took, busy, errors, position, row };
}
