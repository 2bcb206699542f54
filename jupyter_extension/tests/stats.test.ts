import assert from "node:assert/strict";
import { test } from "node:test";
import { codesOf, costBounds } from "../src/timeline/colours.ts";
import { density } from "../src/timeline/density.ts";
import { shown, tally } from "../src/timeline/filter.ts";
import { flame } from "../src/timeline/flame.ts";
import { quantile, stats } from "../src/timeline/stats.ts";
import { forest, lanesOf, made } from "./made.ts";

const spans = made([
  { start: 0, end: 100, name: "chat", kind: "chain" },
  { start: 10, end: 40, name: "call", kind: "llm", parent: 0, tokens: [10, 5], cost: 0.5 },
  { start: 50, end: 90, name: "call", kind: "llm", parent: 0, tokens: [20, 7], cost: 0.25, status: "error" },
  { start: 120, end: 120, name: "mark" },
]);

test("a stretch of time has the spans that run in it", () => {
  const all = stats(spans, -Infinity, Infinity);
  const some = stats(spans, 40, 60);
  const moment = stats(spans, 120, 121);

  assert.deepEqual([all.spans, all.calls, all.errors, all.input, all.output, all.cost], [4, 2, 1, 30, 12, 0.75]);
  assert.deepEqual([some.spans, some.calls, some.input, some.cost], [2, 1, 20, 0.25]);
  assert.deepEqual([moment.spans, moment.input, moment.cost], [1, null, null]);
  assert.equal(stats(spans, 100, 120).spans, 0);
});

test("names come with their quantiles, the most frequent first", () => {
  assert.deepEqual(stats(spans, 0, 101).names, [
    { name: "call", count: 2, p50: 35, p95: 39.5 },
    { name: "chat", count: 1, p50: 100, p95: 100 },
  ]);
  assert.equal(quantile(Float64Array.from([1, 2, 3, 4]), 0.5), 2.5);
});

test("what is hidden counts for nothing", () => {
  const mask = shown(spans, { kinds: ["llm"], statuses: [], names: [] });

  assert.deepEqual([...mask!], [1, 0, 0, 1]);
  assert.equal(stats(spans, 0, 200, mask).calls, 0);
  assert.equal(shown(spans, { kinds: [], statuses: [], names: [] }), undefined);
  assert.deepEqual([...tally(spans.status, 5)], [0, 3, 1, 0, 0]);
});

test("the flame view adds up spans by what called them", () => {
  const found = flame(spans);
  const rows = [...found.count.keys()].map((node) => [
    found.spans.names[found.spans.name[node]!],
    found.count[node],
    found.total[node],
    found.self[node],
    found.errors[node],
  ]);

  assert.deepEqual(rows, [
    ["chat", 1, 100, 30, 0],
    ["call", 2, 70, 70, 1],
    ["mark", 1, 0, 0, 0],
  ]);
});

test("in the flame view nothing is wider than what called it, and no time is lost", () => {
  for (let seed = 1; seed < 20; seed++) {
    const all = forest(80, seed);
    const found = flame(all);
    const { start, duration, parent, count } = found.spans;
    for (let node = 0; node < count; node++) {
      const above = parent[node]!;
      if (above < 0) continue;
      assert.ok(above < node);
      assert.ok(start[node]! >= start[above]! && start[node]! + duration[node]! <= start[above]! + duration[above]!);
    }
    assert.equal(
      found.total.reduce((sum, one) => sum + one, 0),
      all.duration.reduce((sum, one) => sum + one, 0),
    );
    const lanes = lanesOf(found.spans, "depth");
    for (let node = 0; node < count; node++) {
      if (parent[node]! >= 0) assert.equal(lanes.row[node], lanes.row[parent[node]!]! + 1);
    }
  }
});

test("the minimap shows the work, not what waits for it", () => {
  const found = density(spans, 0, 200, 20);

  assert.deepEqual([found.busy[0], found.busy[2], found.busy[4], found.busy[6]], [0, 1, 0, 1]);
  assert.equal(found.errors[5], 1);
});

test("costs are in steps of about as many calls", () => {
  const dear = made(Array.from({ length: 60 }, (_, at) => ({ start: at, end: at + 1, cost: 1.5 ** at })));
  const codes = codesOf(dear, "cost");

  assert.deepEqual(
    [...tally(codes, 7)].slice(1).map((number) => number >= 8 && number <= 12),
    Array(6).fill(true),
  );
  assert.equal(costBounds(dear)[0], 1);
  assert.deepEqual([...codesOf(spans, "kind")], [5, 0, 7, 6]);
  assert.deepEqual([...codesOf(spans, "status")], [0, 0, 1, 0]);
});
