import assert from "node:assert/strict";
import { test } from "node:test";
import { hit, spanAt } from "../src/timeline/hit.ts";
import { Layout, TOP } from "../src/timeline/layout.ts";
import { TimeWindow } from "../src/timeline/window.ts";
import { forest, lanesOf, made, random } from "./made.ts";

test("where a span is drawn, it is hit", () => {
  const next = random(17);
  for (let seed = 1; seed < 20; seed++) {
    const spans = forest(60, seed);
    const layout = new Layout(lanesOf(spans), new Set());
    const window = new TimeWindow();
    window.reset(spans.end);
    for (let span = 0; span < spans.count; span++) {
      window.show(spans.start[span]!, spans.start[span]! + spans.duration[span]!, 0.5);
      const time = spans.start[span]! + next() * spans.duration[span]!;
      const x = ((time - window.from) / window.width) * 800;
      const y = layout.yOf(layout.lanes.row[span]!) + TOP + 9;

      assert.deepEqual(hit(layout, window, 800, 0, x, y), { where: "span", span });
      assert.deepEqual(hit(layout, window, 800, 40, x, y - 40).where, y - 40 < TOP ? "axis" : "span");
    }
  }
});

test("a thin span is hit by a pointer close to it, the nearest first", () => {
  const lanes = lanesOf(
    made([
      { start: 100, end: 100 },
      { start: 108, end: 108 },
    ]),
    "depth",
  );

  assert.equal(spanAt(lanes, 0, 103, 5), 0);
  assert.equal(spanAt(lanes, 0, 105, 5), 1);
  assert.equal(spanAt(lanes, 0, 120, 5), -1);
});

test("minimap, axis and heads are told from spans", () => {
  const layout = new Layout(lanesOf(made([{ start: 0, end: 10, session: "a" }])), new Set());
  const window = new TimeWindow();
  window.reset(10);
  const at = (y: number) => hit(layout, window, 100, 0, 50, y).where;

  assert.deepEqual([5, 40, TOP + 3, TOP + 30, TOP + 300].map(at), ["minimap", "axis", "head", "span", "empty"]);
});

test("a window never leaves what there is", () => {
  const next = random(23);
  const window = new TimeWindow();
  window.reset(1e9);
  for (let round = 0; round < 5000; round++) {
    const what = next();
    if (what < 0.4) window.zoom(10 ** (next() * 4 - 2), next());
    else if (what < 0.8) window.pan((next() - 0.5) * 4 * window.width);
    else window.show(next() * 1e9, next() * 1e9);

    assert.ok(window.from >= window.first && window.to <= window.last * (1 + 1e-9));
    assert.ok(window.width >= 9.9);
  }
});

test("zooming leaves the moment under the pointer where it is", () => {
  const window = new TimeWindow();
  window.reset(1e9);
  window.set(4e8, 6e8);
  const before = window.from + 0.3 * window.width;

  window.zoom(0.5, 0.3);

  assert.ok(Math.abs(window.from + 0.3 * window.width - before) < 1);
  assert.equal(Math.round(window.width), 1e8);
});

test("a window that shows all of it grows with it, another one stays", () => {
  const window = new TimeWindow();
  window.reset(100);
  window.extend(1000);
  assert.ok(window.to > 1000);

  window.set(10, 50);
  window.extend(5000);
  assert.deepEqual([window.from, window.to], [10, 50]);
});
