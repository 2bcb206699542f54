import assert from "node:assert/strict";
import { test } from "node:test";
import { shown } from "../src/timeline/filter.ts";
import { GROUPINGS } from "../src/timeline/lanes.ts";
import { HEAD, Layout, ROW } from "../src/timeline/layout.ts";
import { Longest } from "../src/timeline/longest.ts";
import { forest, lanesOf, made, random } from "./made.ts";

for (const grouping of GROUPINGS) {
  test(`by ${grouping}: every span stands in one place, and nothing in a row overlaps`, () => {
    for (let seed = 1; seed < 25; seed++) {
      const spans = forest(60, seed);
      const lanes = lanesOf(spans, grouping);

      assert.deepEqual(
        [...lanes.order].sort((one, other) => one - other),
        [...Array(spans.count).keys()],
      );
      for (let row = 0; row + 1 < lanes.offsets.length; row++) {
        for (let at = lanes.offsets[row]! + 1; at < lanes.offsets[row + 1]!; at++) {
          assert.ok(lanes.starts[at]! >= lanes.reach[at - 1]!);
        }
      }
    }
  });
}

test("what a span called stands below it", () => {
  for (let seed = 1; seed < 25; seed++) {
    const spans = forest(60, seed);
    const lanes = lanesOf(spans, "session");
    for (let span = 0; span < spans.count; span++) {
      const parent = spans.parent[span]!;
      if (parent >= 0) assert.ok(lanes.row[span]! > lanes.row[parent]!);
    }
  }
});

test("traces one after the other share rows, traces at once do not mix", () => {
  const after = lanesOf(
    made([
      { start: 0, end: 10 },
      { start: 2, end: 8, parent: 0 },
      { start: 20, end: 30 },
    ]),
    "depth",
  );
  const atOnce = lanesOf(
    made([
      { start: 0, end: 30 },
      { start: 5, end: 25 },
      { start: 6, end: 9, parent: 1 },
      { start: 7, end: 8, parent: 0 },
    ]),
    "depth",
  );

  assert.deepEqual([...after.row], [0, 1, 0]);
  assert.deepEqual([...atOnce.row], [0, 2, 3, 1]);
});

test("a span whose caller is hidden stands below the nearest one that is shown", () => {
  const spans = made([
    { start: 0, end: 10, name: "root" },
    { start: 1, end: 9, parent: 0, name: "middle" },
    { start: 2, end: 8, parent: 1, name: "leaf" },
  ]);
  const lanes = lanesOf(spans, "depth", shown(spans, { kinds: [], statuses: [], names: ["middle"] }));

  assert.deepEqual([...lanes.row], [0, -1, 1]);
  assert.deepEqual([...lanes.position], [0, -1, 1]);
});

test("a group has as many spans and errors as it has", () => {
  const spans = made([
    { start: 0, end: 1, session: "a", status: "error" },
    { start: 1, end: 2, session: "b" },
    { start: 2, end: 3, session: "a" },
  ]);

  const { groups } = lanesOf(spans, "session");

  assert.deepEqual(
    groups.map((group) => [group.label, group.spans, group.errors]),
    [
      ["a", 2, 1],
      ["b", 1, 0],
    ],
  );
});

test("without threads, lanes by thread are lanes by depth", () => {
  const spans = made([
    { start: 0, end: 5 },
    { start: 1, end: 2, parent: 0 },
  ]);

  assert.deepEqual(
    lanesOf(spans, "thread").groups.map((group) => group.label),
    ["No span tells its thread"],
  );
  assert.deepEqual([...lanesOf(spans, "thread").row], [...lanesOf(spans, "depth").row]);
});

test("a row is found where it stands, whatever is collapsed", () => {
  const next = random(5);
  for (let seed = 1; seed < 15; seed++) {
    const lanes = lanesOf(forest(80, seed, 6), "session");
    const collapsed = new Set(lanes.groups.filter(() => next() < 0.4).map((group) => group.label));
    const layout = new Layout(lanes, collapsed);
    for (const group of lanes.groups) {
      const first = layout.yOf(group.row);
      const band = layout.at(first + 1)!;
      if (collapsed.has(group.label)) assert.deepEqual([band.row, lanes.groups[band.group]], [-1, group]);
      else assert.deepEqual([band.row, band.y], [group.row, first]);
    }
    const all = layout.between(0, layout.height);
    for (let at = 1; at < all.length; at++) assert.ok(all[at]!.y >= all[at - 1]!.y + all[at - 1]!.height);
    assert.ok(all.every((band) => band.height === (band.row < 0 ? HEAD : ROW)));
  }
});

test("the longest of any stretch is the longest", () => {
  const next = random(3);
  const duration = Float64Array.from({ length: 5000 }, () => Math.floor(next() * 1e6));
  const longest = new Longest(duration);
  for (let round = 0; round < 500; round++) {
    const from = Math.floor(next() * 4999);
    const to = from + 1 + Math.floor(next() * (4999 - from));
    const best = Math.max(...duration.subarray(from, to));
    const found = longest.between(from, to);

    assert.ok(found >= from && found < to);
    assert.equal(duration[found], best);
  }
});
