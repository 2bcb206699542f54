// The two sides have to agree: the fixture holds payloads that Python wrote, and what Python says of their spans.
// tests/views/test_timeline.py writes it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { criticalPath, criticalSteps } from "../src/timeline/critical.ts";
import { decode, lowerBound } from "../src/timeline/spans.ts";
import { totals } from "../src/timeline/stats.ts";
import { lanesOf } from "./made.ts";

interface Case {
  name: string;
  payload: string;
  spans: { name: string; kind: string; status: string; session: string; start: number; end: number; parent: number }[];
  critical: [number, number, number][];
  totals: { spans: number; errors: number; llm_calls: number; input_tokens: number | null; cost: number | null };
  events: [number, number, string][];
}

const path = new URL("../../tests/fixtures/python.json", import.meta.url);
const cases = JSON.parse(readFileSync(path, "utf8")) as Case[];

for (const made of cases) {
  const bytes = Uint8Array.from(Buffer.from(made.payload, "base64"));
  const spans = decode(bytes);

  test(`${made.name}: what Python wrote is read`, () => {
    const rows = made.spans.map((_, span) => ({
      name: spans.names[spans.name[span]!],
      kind: spans.kinds[spans.kind[span]!],
      status: spans.statuses[spans.status[span]!],
      session: spans.sessions[spans.session[span]!],
      start: spans.start[span],
      end: spans.start[span]! + spans.duration[span]!,
      parent: spans.parent[span],
    }));

    assert.equal(spans.count, made.spans.length);
    assert.deepEqual(rows, made.spans);
  });

  test(`${made.name}: bytes that are not aligned are read too`, () => {
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);

    assert.deepEqual(decode(shifted.subarray(3)).start, spans.start);
  });

  test(`${made.name}: the critical path is the one that Python finds`, () => {
    const steps = criticalSteps(spans);
    const found = steps.span.map((span, at) => [span, steps.start[at]!, steps.end[at]!] as const);
    const byTime = (one: readonly number[], other: readonly number[]) => one[1]! - other[1]! || one[0]! - other[0]!;
    const path = criticalPath(spans, lanesOf(spans));

    assert.deepEqual([...found].sort(byTime), [...made.critical].sort(byTime));
    assert.equal(path.span.length, made.critical.length);
    for (let row = 0; row + 1 < path.offsets.length; row++) {
      for (let at = path.offsets[row]! + 1; at < path.offsets[row + 1]!; at++) {
        assert.ok(path.start[at]! >= path.end[at - 1]!);
      }
    }
  });

  test(`${made.name}: figures are those that Python has`, () => {
    const found = totals(spans);

    assert.deepEqual(
      { spans: found.spans, errors: found.errors, llm_calls: found.calls, input_tokens: found.input },
      {
        spans: made.totals.spans,
        errors: made.totals.errors,
        llm_calls: made.totals.llm_calls,
        input_tokens: made.totals.input_tokens,
      },
    );
    if (made.totals.cost === null) assert.equal(found.cost, null);
    else assert.ok(Math.abs(found.cost! - made.totals.cost) < 1e-12);
  });

  test(`${made.name}: events stand by span and time`, () => {
    const { events } = spans;
    const found = [...events.span.keys()].map((at) => [
      events.span[at],
      events.time[at],
      spans.eventNames[events.name[at]!],
    ]);

    assert.deepEqual(found, made.events);
    for (const [span] of made.events) assert.equal(events.span[lowerBound(events.span, span)], span);
  });
}

test("what is no payload is refused", () => {
  assert.throws(() => decode(new Uint8Array(4)), /no timeline payload/);
  assert.throws(() => decode(new TextEncoder().encode("<script>alert(1)</script>")), /no timeline payload/);
});
