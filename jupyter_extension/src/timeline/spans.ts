// Spans as columns: what the Python side's payload (mirascope_ops/views/timeline.py) holds, without copying it.

import { done, type Work } from "./work.ts";

export type Codes = Uint8Array | Uint16Array | Uint32Array;

/** Spans that say something of a model call: one row each, by span. */
export interface Calls {
  span: Int32Array;
  model: Codes;
  input: Uint32Array;
  output: Uint32Array;
  cost: Float64Array;
  first: Float64Array;
  counts: Uint8Array;
}

/** Events, by span and time. */
export interface Events {
  span: Int32Array;
  time: Float64Array;
  name: Codes;
}

/** All columns; times in nanoseconds after `origin`. */
export interface Spans {
  count: number;
  /** How many there are in all: more, where these are a first picture. */
  of: number;
  traces: number;
  origin: bigint;
  end: number;
  start: Float64Array;
  duration: Float64Array;
  parent: Int32Array;
  name: Codes;
  session: Codes;
  thread: Codes;
  kind: Uint8Array;
  status: Uint8Array;
  kinds: readonly string[];
  statuses: readonly string[];
  names: readonly string[];
  sessions: readonly string[];
  threads: readonly string[];
  models: readonly string[];
  eventNames: readonly string[];
  calls: Calls;
  events: Events;
  /** For each span its row in `calls`, or -1. */
  call: Int32Array;
  /** For each span 1 where it had not ended. */
  open: Uint8Array;
  /** For each span 1 where no span is below it. */
  leaf: Uint8Array;
  /** The number of the status "error". */
  error: number;
}

export const NO_TOKENS = 0xffffffff;
export const COUNTS_LLM = 1;
export const COUNTS_USAGE = 2;
export const COUNTS_COST = 4;

interface Packed {
  version: number;
  columns: Record<string, [keyof typeof TYPES, number, number]>;
}

interface Header extends Packed {
  count: number;
  of?: number;
  traces: number;
  origin: string;
  end: number;
  kinds: string[];
  statuses: string[];
  names: string[];
  sessions: string[];
  threads: string[];
  models: string[];
  events: string[];
}

const MAGIC = 0x3153504f; // "OPS1"
const TYPES = { f8: Float64Array, u4: Uint32Array, i4: Int32Array, u2: Uint16Array, u1: Uint8Array } as const;

/** Reads a payload: its header, and its columns by name. */
export function unpacked<Told extends object>(bytes: Uint8Array): { header: Told; column: <T>(name: string) => T } {
  const block = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const data = new DataView(block.buffer, block.byteOffset, block.byteLength);
  if (block.byteLength < 8 || data.getUint32(0, true) !== MAGIC) throw new Error("This is no timeline payload.");
  const told = data.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(block.subarray(8, 8 + told))) as Told & Packed;
  if (header.version !== 1) throw new Error(`This timeline payload has version ${header.version}; 1 is understood.`);
  const body = block.byteOffset + 8 + told;
  const column = <T>(name: string): T => {
    const placed = header.columns[name];
    if (!placed) throw new Error(`The timeline payload lacks its column ${name}.`);
    const [type, offset, length] = placed;
    return new TYPES[type](block.buffer as ArrayBuffer, body + offset, length) as T;
  };
  return { header, column };
}

/** Whether these are a first picture: some of the spans that there are. */
export function isPart(spans: Spans): boolean {
  return spans.count < spans.of;
}

/** Reads all spans. Their columns stay views of the given bytes, which are copied only where they are not aligned. */
export function decode(bytes: Uint8Array): Spans {
  return done(decoding(bytes));
}

/** As `decode`, a piece at a time. */
export function* decoding(bytes: Uint8Array): Work<Spans> {
  const { header, column } = unpacked<Header>(bytes);
  const calls: Calls = {
    span: column("call_span"),
    model: column("call_model"),
    input: column("call_input"),
    output: column("call_output"),
    cost: column("call_cost"),
    first: column("call_first"),
    counts: column("call_counts"),
  };
  const parent = column<Int32Array>("parent");
  yield;
  const leaf = leaves(parent);
  // In a first picture there are spans that called others, none of which is in it.
  if (header.of !== undefined) for (const caller of column<Int32Array>("callers")) leaf[caller] = 0;
  yield;
  const call = inverse(calls.span, header.count);
  yield;
  return {
    count: header.count,
    of: header.of ?? header.count,
    traces: header.traces,
    origin: BigInt(header.origin),
    end: header.end,
    start: column("start"),
    duration: column("duration"),
    parent,
    name: column("name"),
    session: column("session"),
    thread: column("thread"),
    kind: column("kind"),
    status: column("status"),
    kinds: header.kinds,
    statuses: header.statuses,
    names: header.names,
    sessions: header.sessions,
    threads: header.threads,
    models: header.models,
    eventNames: header.events,
    calls,
    events: { span: column("event_span"), time: column("event_time"), name: column("event_name") },
    call,
    open: marked(column("open"), header.count),
    leaf,
    error: header.statuses.indexOf("error"),
  };
}

/** For each of `count` places its index in `places`, or -1. */
export function inverse(places: Int32Array, count: number): Int32Array {
  const found = new Int32Array(count).fill(-1);
  for (let index = 0; index < places.length; index++) found[places[index]!] = index;
  return found;
}

/** Marks these of `count` places. */
export function marked(places: Int32Array, count: number): Uint8Array {
  const found = new Uint8Array(count);
  for (const place of places) found[place] = 1;
  return found;
}

/** Marks the spans that are nobody's parent. */
export function leaves(parent: Int32Array): Uint8Array {
  const leaf = new Uint8Array(parent.length).fill(1);
  for (const above of parent) if (above >= 0) leaf[above] = 0;
  return leaf;
}

/** The first index at which a sorted column (or a part of it) is not below a value. */
export function lowerBound(column: Float64Array | Int32Array, value: number, from = 0, to = column.length): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (column[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first index at which a sorted column (or a part of it) is above a value. */
export function upperBound(column: Float64Array | Int32Array, value: number, from = 0, to = column.length): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (column[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** As `lowerBound`, for values that are likely to stand soon after `from`. */
export function lowerBoundNear(column: Float64Array, value: number, from: number, to: number): number {
  let step = 1;
  let low = from;
  while (low + step < to && column[low + step]! < value) {
    low += step;
    step *= 2;
  }
  return lowerBound(column, value, low, Math.min(to, low + step));
}
