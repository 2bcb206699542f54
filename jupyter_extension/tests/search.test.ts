import assert from "node:assert/strict";
import { test } from "node:test";
import { search, words } from "../src/timeline/search.ts";
import { next } from "../src/timeline/walk.ts";
import { lanesOf, made } from "./made.ts";

const spans = made([
  { start: 0, end: 500e6, name: "chat", kind: "chain", session: "user-1" },
  { start: 1e6, end: 8e6, name: "Retrieve documents", kind: "retriever", session: "user-1", parent: 0 },
  { start: 9e6, end: 90e6, name: "Completion", kind: "llm", model: "gpt-4o-mini", session: "user-1", parent: 0 },
  { start: 600e6, end: 601e6, name: "chat", kind: "chain", status: "error", session: "user-2" },
]);
const found = (query: string) => {
  const matches = search(spans, lanesOf(spans), query);
  return matches && [...matches.mask].flatMap((fits, span) => (fits ? [span] : []));
};

test("no words ask for nothing", () => {
  assert.deepEqual([found(""), found("   ")], [null, null]);
});

test("a word is looked for in names, models and sessions, or is a kind or a status", () => {
  assert.deepEqual(found("CHAT"), [0, 3]);
  assert.deepEqual(found("4o"), [2]);
  assert.deepEqual(found("user-2"), [3]);
  assert.deepEqual(found("retriever"), [1]);
  assert.deepEqual(found("error"), [3]);
  assert.deepEqual(found("nothing like it"), []);
});

test("all words have to fit", () => {
  assert.deepEqual(found("chat error"), [3]);
  assert.deepEqual(found("documents retrieve"), [1]);
});

test("a field looks in one place", () => {
  assert.deepEqual(found("kind:llm"), [2]);
  assert.deepEqual(found("status:err"), [3]);
  assert.deepEqual(found("session:user-1 name:chat"), [0]);
  assert.deepEqual(found("model:gpt"), [2]);
  assert.deepEqual(found("thread:main"), []);
});

test("durations have bounds", () => {
  assert.deepEqual(found(">50ms"), [0, 2]);
  assert.deepEqual(found("<2ms"), [3]);
  assert.deepEqual(found(">50ms <0.2s"), [2]);
});

test("what stands in quotes is one word", () => {
  assert.deepEqual(words('name:"Retrieve documents" x'), ["name:retrieve documents", "x"]);
  assert.deepEqual(found('name:"retrieve documents"'), [1]);
});

test("queries are words, never patterns", () => {
  for (const query of ["(", "[a-", "*", "\\", "$^", "name:", "kind:__proto__", "constructor"]) found(query);
});

test("going to the next match goes around, and back", () => {
  const lanes = lanesOf(spans);
  const matches = search(spans, lanes, "chat");

  assert.deepEqual([next(lanes, matches, -1, 1), next(lanes, matches, 0, 1), next(lanes, matches, 3, 1)], [0, 3, 0]);
  assert.equal(next(lanes, matches, 0, -1), 3);
  assert.equal(next(lanes, search(spans, lanes, "nowhere"), 0, 1), -1);
});
