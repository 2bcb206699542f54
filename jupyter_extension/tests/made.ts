// Spans for tests, made of a few words each.

import { arrange, type Grouping } from "../src/timeline/lanes.ts";
import { inverse, leaves, NO_TOKENS, type Spans } from "../src/timeline/spans.ts";

export interface Made {
  start: number;
  end: number;
  parent?: number;
  name?: string;
  kind?: string;
  status?: string;
  session?: string;
  thread?: string;
  model?: string;
  tokens?: [number, number];
  cost?: number;
}

export const KINDS = ["llm", "embedding", "retriever", "tool", "agent", "chain", "other"];
export const STATUSES = ["unset", "ok", "error", "open", "interrupted"];

function coded(words: string[]): { codes: Uint16Array; known: string[] } {
  const known = [...new Set(words)];
  return { codes: Uint16Array.from(words, (word) => known.indexOf(word)), known };
}

export function made(rows: Made[]): Spans {
  const names = coded(rows.map((row) => row.name ?? "work"));
  const sessions = coded(rows.map((row) => row.session ?? ""));
  const threads = coded(rows.map((row) => row.thread ?? ""));
  const called = rows.flatMap((row, span) => (row.model || row.tokens || row.cost !== undefined ? [span] : []));
  const models = coded(called.map((span) => rows[span]!.model ?? ""));
  const parent = Int32Array.from(rows, (row) => row.parent ?? -1);
  const span = Int32Array.from(called);
  return {
    count: rows.length,
    of: rows.length,
    traces: 1,
    origin: 0n,
    end: Math.max(0, ...rows.map((row) => row.end)),
    start: Float64Array.from(rows, (row) => row.start),
    duration: Float64Array.from(rows, (row) => row.end - row.start),
    parent,
    name: names.codes,
    session: sessions.codes,
    thread: threads.codes,
    kind: Uint8Array.from(rows, (row) => KINDS.indexOf(row.kind ?? "other")),
    status: Uint8Array.from(rows, (row) => STATUSES.indexOf(row.status ?? "ok")),
    kinds: KINDS,
    statuses: STATUSES,
    names: names.known,
    sessions: sessions.known,
    threads: rows.some((row) => row.thread) ? threads.known : [],
    models: models.known,
    eventNames: [],
    calls: {
      span,
      model: models.codes,
      input: Uint32Array.from(called, (at) => rows[at]!.tokens?.[0] ?? NO_TOKENS),
      output: Uint32Array.from(called, (at) => rows[at]!.tokens?.[1] ?? NO_TOKENS),
      cost: Float64Array.from(called, (at) => rows[at]!.cost ?? Number.NaN),
      first: new Float64Array(called.length).fill(Number.NaN),
      counts: new Uint8Array(called.length).fill(7),
    },
    events: { span: new Int32Array(0), time: new Float64Array(0), name: new Uint8Array(0) },
    call: inverse(span, rows.length),
    open: Uint8Array.from(rows, (row) => (row.status === "open" ? 1 : 0)),
    leaf: leaves(parent),
    error: STATUSES.indexOf("error"),
  };
}

/** Numbers from 0 to 1 that are the same in every run. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A forest of spans: traces that overlap, with children inside and beside each other. */
export function forest(size: number, seed: number, sessions = 3): Spans {
  const next = random(seed);
  const rows: Made[] = [];
  while (rows.length < size) {
    const start = Math.floor(next() * size * 100);
    const session = `s${Math.floor(next() * sessions)}`;
    const root = rows.length;
    rows.push({ start, end: start + 1000, session, name: "root" });
    const number = Math.floor(next() * 6);
    for (let child = 0; child < number; child++) {
      const parent = root + Math.floor(next() * (rows.length - root));
      const begin = rows[parent]!.start + Math.floor(next() * 400);
      const status = next() < 0.1 ? "error" : "ok";
      rows.push({ start: begin, end: begin + Math.floor(next() * 500), parent, session, name: `n${child}`, status });
    }
  }
  // The payload is by start.
  const order = [...rows.keys()].sort((one, other) => rows[one]!.start - rows[other]!.start || one - other);
  const place = new Map(order.map((row, at) => [row, at]));
  return made(
    order.map((row) => {
      const { parent, ...rest } = rows[row]!;
      return parent === undefined ? rest : { ...rest, parent: place.get(parent)! };
    }),
  );
}

export function lanesOf(spans: Spans, grouping: Grouping = "session", shown?: Uint8Array) {
  return arrange(spans, grouping, shown);
}
