import assert from "node:assert/strict";
import { test } from "node:test";
import type { Row } from "../src/review/kernel.ts";
import { actionOf } from "../src/review/keys.ts";
import { nextOpen, progress, progressText } from "../src/review/progress.ts";

const row = (label?: string | null): Row => ({
  name: "chat",
  about: "",
  status: "ok",
  verdict: label === undefined ? null : { label, score: null, note: "" },
});

test("the next open item is looked for from here on, then from the start", () => {
  const rows = [row(), row("pass"), row(), row("fail")];

  assert.equal(nextOpen(rows, 0), 0);
  assert.equal(nextOpen(rows, 1), 2);
  assert.equal(nextOpen(rows, 3), 0);
  assert.equal(nextOpen([row("pass"), row("fail")], 1), -1);
  assert.equal(nextOpen([], 0), -1);
});

test("progress counts what is judged, by label", () => {
  const come = progress([row("pass"), row("pass"), row("fail"), row(null), row()]);

  assert.deepEqual(come, { done: 4, total: 5, passed: 2, failed: 1 });
  assert.equal(progressText(come), "4 of 5 reviewed · 2 pass · 1 fail");
  assert.equal(progressText(progress([row()])), "0 of 1 reviewed");
});

test("keys are what they say", () => {
  assert.deepEqual(actionOf("p"), { kind: "label", label: "pass" });
  assert.deepEqual(actionOf("f"), { kind: "label", label: "fail" });
  assert.deepEqual(actionOf("5"), { kind: "score", score: 5 });
  assert.deepEqual(actionOf("j"), { kind: "move", by: 1 });
  assert.deepEqual(actionOf("ArrowUp"), { kind: "move", by: -1 });
  for (const key of ["6", "0", "x", "Enter", "Tab", "constructor", "__proto__"]) assert.equal(actionOf(key), null);
});
