import assert from "node:assert/strict";
import { test } from "node:test";
import { Growing } from "../src/live/growing.ts";

const TYPES = { f8: Float64Array, u4: Uint32Array, i4: Int32Array, u1: Uint8Array } as const;
const KINDS = ["llm", "other"];
const STATUSES = ["ok", "error", "open"];

interface Row {
  place: number;
  start: number;
  duration?: number;
  parent?: number;
  name?: number;
  kind?: string;
  tokens?: number;
}

/** A payload as the Python side packs it. */
function payload(rows: Row[], told: { anew?: boolean; now?: number; names?: string[] } = {}): Uint8Array {
  const none = 0xffffffff;
  const zero = () => rows.map(() => 0);
  const nothing = () => rows.map(() => Number.NaN);
  const columns: [string, keyof typeof TYPES, number[]][] = [
    ["place", "u4", rows.map((row) => row.place)],
    ["start", "f8", rows.map((row) => row.start)],
    ["duration", "f8", rows.map((row) => row.duration ?? Number.NaN)],
    ["parent", "i4", rows.map((row) => row.parent ?? -1)],
    ["name", "u4", rows.map((row) => row.name ?? 0)],
    ["session", "u4", zero()],
    ["thread", "u4", zero()],
    ["kind", "u1", rows.map((row) => KINDS.indexOf(row.kind ?? "other"))],
    ["status", "u1", rows.map((row) => (row.duration === undefined ? 2 : 0))],
    ["model", "u4", zero()],
    ["input", "u4", rows.map((row) => row.tokens ?? none)],
    ["output", "u4", rows.map(() => none)],
    ["cost", "f8", nothing()],
    ["first", "f8", nothing()],
    ["event_place", "i4", []],
    ["event_time", "f8", []],
    ["event_name", "u4", []],
  ];
  const placed: Record<string, [string, number, number]> = {};
  const blocks: Uint8Array[] = [];
  let size = 0;
  for (const [name, type, values] of columns) {
    const bytes = new Uint8Array(TYPES[type].from(values).buffer);
    placed[name] = [type, size, values.length];
    const block = new Uint8Array(Math.ceil(bytes.length / 8) * 8);
    block.set(bytes);
    blocks.push(block);
    size += block.length;
  }
  const { anew = false, now = 100, names = [] } = told;
  const header = {
    ...{ version: 1, anew, now, origin: "0", traces: 1, kinds: KINDS, statuses: STATUSES, columns: placed },
    ...{ names, sessions: anew ? [""] : [], threads: anew ? [""] : [], models: anew ? [""] : [], events: [] },
  };
  const text = JSON.stringify(header);
  const head = new TextEncoder().encode(text.padEnd(Math.ceil((text.length + 8) / 8) * 8 - 8));
  const whole = new Uint8Array(8 + head.length + size);
  whole.set([0x4f, 0x50, 0x53, 0x31]);
  new DataView(whole.buffer).setUint32(4, head.length, true);
  whole.set(head, 8);
  let at = 8 + head.length;
  for (const block of blocks) {
    whole.set(block, at);
    at += block.length;
  }
  return whole;
}

const namesOf = (growing: Growing) => {
  const { spans } = growing.spans();
  return [...spans.name].map((name) => spans.names[name]);
};

test("what comes later is appended, and an open span lasts until now", () => {
  const growing = new Growing();
  growing.append(payload([{ place: 0, start: 0 }], { anew: true, names: ["turn"], now: 50 }));
  growing.append(payload([{ place: 1, start: 60, duration: 5, parent: 0, name: 1 }], { names: ["ask"], now: 80 }));

  const { spans, moved } = growing.spans();

  assert.deepEqual(namesOf(growing), ["turn", "ask"]);
  assert.deepEqual([...spans.duration], [80, 5]);
  assert.deepEqual([...spans.open], [1, 0]);
  assert.deepEqual([...spans.parent], [-1, 0]);
  assert.deepEqual([...spans.leaf], [0, 1]);
  assert.equal(moved, undefined);
});

test("a span that has ended is written anew in its place", () => {
  const growing = new Growing();
  growing.append(payload([{ place: 0, start: 0 }], { anew: true, names: ["turn"] }));
  growing.append(payload([{ place: 0, start: 0, duration: 7, kind: "llm", tokens: 3 }]));

  const { spans } = growing.spans();

  assert.equal(spans.count, 1);
  assert.deepEqual([...spans.duration], [7]);
  assert.deepEqual([...spans.calls.span], [0]);
  assert.deepEqual([...spans.calls.input], [3]);
});

test("spans that come out of order are put in order, with their parents, and what was chosen is found again", () => {
  const growing = new Growing();
  growing.append(payload([{ place: 0, start: 10, duration: 1, parent: -1, name: 0 }], { anew: true, names: ["ask"] }));
  growing.spans();
  growing.append(
    payload(
      [
        { place: 1, start: 5, duration: 20, name: 1 },
        { place: 0, start: 10, duration: 1, parent: 1, name: 0 },
      ],
      { names: ["turn"] },
    ),
  );

  const { spans, moved } = growing.spans();

  assert.deepEqual([...spans.start], [5, 10]);
  assert.deepEqual([...spans.parent], [-1, 0]);
  assert.equal(moved?.[0], 1);
});

test("of model calls above each other the innermost counts", () => {
  const growing = new Growing();
  const rows = [
    { place: 0, start: 0, duration: 9, kind: "llm", tokens: 3 },
    { place: 1, start: 1, duration: 2, kind: "llm", tokens: 3, parent: 0 },
  ];
  growing.append(payload(rows, { anew: true, names: ["ask"] }));

  assert.deepEqual([...growing.spans().spans.calls.counts], [0, 3]);
});

test("what is told anew takes the place of all that was told before", () => {
  const growing = new Growing();
  growing.append(payload([{ place: 0, start: 0 }], { anew: true, names: ["turn"] }));
  growing.append(payload([{ place: 0, start: 0, duration: 1 }], { anew: true, names: ["other"] }));

  assert.deepEqual(namesOf(growing), ["other"]);
});

test("more spans than there was room for are kept", () => {
  const growing = new Growing();
  const rows = Array.from({ length: 700 }, (_, place) => ({ place, start: place, duration: 1 }));
  growing.append(payload(rows, { anew: true, names: ["step"] }));

  assert.equal(growing.spans().spans.start[699], 699);
});
