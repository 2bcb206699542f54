import assert from "node:assert/strict";
import { test } from "node:test";
import { exact, label, marks, roundStep } from "../src/timeline/axis.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../src/timeline/format.ts";
import { random } from "./made.ts";

test("steps are round numbers, above ten seconds those of a clock", () => {
  assert.deepEqual([1, 3, 1.1e6, 4e9, 6e9].map(roundStep), [1, 5, 2e6, 5e9, 10 * SECOND]);
  assert.deepEqual([25 * SECOND, 7 * MINUTE, 4 * HOUR, 3 * DAY].map(roundStep), [
    30 * SECOND,
    10 * MINUTE,
    6 * HOUR,
    5 * DAY,
  ]);
});

test("marks carry the unit that suits the window", () => {
  const labels = (from: number, to: number, least: number) => marks(from, to, least).map((mark) => mark.label);

  assert.deepEqual(labels(0, 100, 40), ["0", "50 ns", "100 ns"]);
  assert.deepEqual(labels(0, 1500, 400), ["0", "0.5 µs", "1.0 µs", "1.5 µs"]);
  assert.deepEqual(labels(0, 164.7e6, 40e6), ["0", "50 ms", "100 ms", "150 ms"]);
  assert.deepEqual(labels(0, 3.1e9, 0.9e9), ["0", "1 s", "2 s", "3 s"]);
  assert.deepEqual(labels(0, 9 * MINUTE, 1.9 * MINUTE), ["0", "2 min", "4 min", "6 min", "8 min"]);
  assert.deepEqual(labels(4 * MINUTE, 5 * MINUTE, 25 * SECOND), ["4:00", "4:30", "5:00"]);
  assert.deepEqual(labels(0, 7 * HOUR, 2.5 * HOUR), ["0", "3 h", "6 h"]);
});

test("deep in a long trace the first mark says where, and the others how much later", () => {
  const found = marks(8 * MINUTE + 123, 8 * MINUTE + 123 + 5e6, 1e6).map((mark) => mark.label);

  assert.match(found[0]!, /^8:00\.\d+$/);
  assert.deepEqual(found.slice(1, 3), ["+1 ms", "+2 ms"]);
});

test("seconds that round up to sixty are the next minute", () => {
  assert.equal(label(5 * MINUTE + 59.96 * SECOND, 0.1 * SECOND, 10 * MINUTE), "6:00.0");
});

test("marks of any window are inside it, apart, and not too many", () => {
  const next = random(11);
  for (let round = 0; round < 2000; round++) {
    const from = (next() - 0.1) * 10 ** (next() * 17);
    const grain = Math.abs(from) * 1e-15;
    const to = from + 10 + 10 ** (next() * 17);
    const least = (to - from) / (1 + next() * 30);
    const found = marks(from, to, least);

    assert.ok(found.length <= 32);
    for (const [at, mark] of found.entries()) {
      assert.ok(mark.time >= from - least * 1e-6 - grain && mark.time <= to + grain);
      if (at > 0) assert.ok(mark.time - found[at - 1]!.time >= least * (1 - 1e-6) - grain);
    }
  }
});

test("the moment under the pointer is as exact as a pixel", () => {
  assert.equal(exact(1_682_345_678, 1e6), "1.682 s");
  assert.equal(exact(3, 1e6), "0");
});
