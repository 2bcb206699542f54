import assert from "node:assert/strict";
import { test } from "node:test";
import { date, duration, plural, tokenFlow, usd } from "../src/timeline/format.ts";

test("durations have the unit that keeps them short", () => {
  const said = [820, 999_499, 164_700_000, 999_960_000, 18_400_000_000, 200e9, 4000e9, 100_000e9].map(duration);

  assert.deepEqual(said, ["820 ns", "999 µs", "164.7 ms", "1.00 s", "18.4 s", "3 min 20 s", "1 h 7 min", "1 d 4 h"]);
  assert.deepEqual([0, -1500].map(duration), ["0 ms", "-2 µs"]);
});

test("dollars have as many digits as they need", () => {
  assert.deepEqual([0, 1e-9, 0.000026, 0.0142, 1.87, 1234.5].map(usd), [
    "$0",
    "<$0.000001",
    "$0.000026",
    "$0.0142",
    "$1.87",
    "$1,234.5",
  ]);
});

test("what was not reported is left out", () => {
  assert.deepEqual(
    [tokenFlow(1111, 19), tokenFlow(null, 19), tokenFlow(5, null), tokenFlow(null, null)],
    ["1,111 → 19", "19 out", "5 in", ""],
  );
});

test("moments that no calendar has are told as numbers", () => {
  assert.equal(date(1_795_548_239_123_456_789n), "24 Nov 2026, 19:23:59.123 UTC");
  assert.equal(date(10n ** 30n), `${10n ** 30n} ns after 1970`);
});

test("one is no plural", () => {
  assert.deepEqual([plural(1, "span"), plural(1234, "span")], ["1 span", "1,234 spans"]);
});
