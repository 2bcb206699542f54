// The first picture of many spans, and all of them coming after it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange, arranging } from "../src/timeline/lanes.ts";
import { KernelHost, type Model } from "../src/timeline/model.ts";
import { decode } from "../src/timeline/spans.ts";
import { done, doneBetween, PIECE } from "../src/timeline/work.ts";
import { forest, KINDS, STATUSES } from "./made.ts";

const CODES = ["name", "session", "thread", "kind", "status", "call_model", "call_counts", "event_name"];
const NUMBERS = ["start", "duration", "call_cost", "call_first", "event_time"];
const TOKENS = ["call_input", "call_output"];
const PLACES = ["parent", "open", "call_span", "event_span", "callers"];

/** A payload of spans without calls and events. */
function payload(told: Record<string, number[]>, header: Record<string, unknown>): Uint8Array {
  const columns: Record<string, [string, number, number]> = {};
  const blocks: Uint8Array[] = [];
  let offset = 0;
  const count = told["start"]!.length;
  for (const name of [...CODES, ...NUMBERS, ...TOKENS, ...PLACES]) {
    const isWhole = ["name", "session", "kind", "status"].includes(name);
    const values = told[name] ?? (isWhole ? Array<number>(count).fill(0) : []);
    const type = CODES.includes(name) ? "u1" : NUMBERS.includes(name) ? "f8" : TOKENS.includes(name) ? "u4" : "i4";
    const made = { u1: Uint8Array, f8: Float64Array, u4: Uint32Array, i4: Int32Array }[type]!.from(values);
    const room = new Uint8Array(Math.ceil(made.byteLength / 8) * 8);
    room.set(new Uint8Array(made.buffer));
    columns[name] = [type, offset, values.length];
    blocks.push(room);
    offset += room.length;
  }
  const words = {
    kinds: KINDS,
    statuses: STATUSES,
    names: ["work"],
    sessions: [""],
    threads: [],
    models: [],
    events: [],
  };
  const all = { version: 1, count, traces: 1, origin: "5", end: 9, ...words, ...header, columns };
  let text = new TextEncoder().encode(JSON.stringify(all));
  text = new Uint8Array([...text, ...Array<number>((8 - (text.length % 8)) % 8).fill(32)]);
  const size = new Uint8Array(new Uint32Array([text.length]).buffer);
  return new Uint8Array(
    [..."OPS1"].map((one) => one.charCodeAt(0)).concat(...[size, text, ...blocks].map((b) => [...b])),
  );
}

test("a first picture says of how many spans it is, and which of its spans called others", () => {
  const columns = { start: [0, 1, 2], duration: [9, 3, 2], parent: [-1, 0, 0], callers: [0, 2] };

  const first = decode(payload(columns, { of: 1000 }));
  const whole = decode(payload(columns, {}));

  assert.deepEqual([first.count, first.of], [3, 1000]);
  assert.deepEqual([...first.leaf], [0, 1, 0]);
  assert.deepEqual([whole.count, whole.of], [3, 3]);
  assert.deepEqual([...whole.leaf], [0, 1, 1]);
});

/** A kernel that answers what it is asked for by hand. */
function asked() {
  const sent: { type: string; request: number }[] = [];
  let listen = (_answer: unknown, _buffers?: DataView[]) => {};
  const model = {
    send: (message: unknown) => sent.push(message as (typeof sent)[0]),
    on: (_: string, callback: (...told: never[]) => void) => {
      listen = callback as typeof listen;
    },
    off() {},
  };
  const host = new KernelHost(model as unknown as Model);
  return { sent, host, answer: (told: object, ...parts: DataView[]) => listen(told, parts) };
}

const view = (bytes: ArrayLike<number>) => new DataView(Uint8Array.from(bytes).buffer);

test("a payload comes in parts, with where the first picture's spans stand in it", async () => {
  const { sent, host, answer } = asked();
  const coming = host.data();
  const { request } = sent[0]!;
  // As parts of larger buffers, which begin where no number may.
  const places = new Uint8Array([9, ...new Uint8Array(Int32Array.of(7, -1).buffer)]);

  answer({ type: "data", request: 99, at: 0, bytes: 5 }, view([8, 8, 8, 8, 8]));
  answer({ type: "data", request, at: 0, bytes: 5 }, view([1, 2, 3]), new DataView(places.buffer, 1));
  answer({ type: "data", request, at: 3, bytes: 5 }, view([4, 5]));

  const { bytes, moved } = await coming;
  assert.deepEqual([...bytes], [1, 2, 3, 4, 5]);
  assert.deepEqual([...moved!], [7, -1]);
});

test("a payload that the kernel cannot give is a failure", async () => {
  const { sent, host, answer } = asked();
  const coming = host.data();

  answer({ type: "error", request: sent[0]!.request, message: "no numpy" });

  await assert.rejects(coming, /no numpy/);
});

test("lanes that are arranged a piece at a time are the same", async () => {
  const spans = forest(3 * PIECE, 11);
  for (const grouping of ["session", "name"] as const) {
    const made = await doneBetween(arranging(spans, grouping), () => true);

    assert.deepEqual(made, arrange(spans, grouping));
  }
});

test("work stops between its pieces, and is left where nobody wants it any more", async () => {
  let pieces = 0;
  function* work() {
    for (; pieces < 1000; pieces++) {
      const until = performance.now() + 5;
      while (performance.now() < until);
      yield;
    }
    return pieces;
  }
  let wanted = true;
  const stopped = doneBetween(work(), () => wanted);
  while (!pieces) await new Promise((resume) => setTimeout(resume));

  wanted = false;

  assert.equal(await stopped, undefined);
  assert.ok(pieces > 0 && pieces < 500);
  pieces = 998;
  assert.equal(done(work()), 1000);
});
