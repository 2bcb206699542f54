// Which colour a span has: a code for each span, and what the codes look like in a theme.

import type { Spans } from "./spans.ts";
import { KINDS, type Theme } from "./theme.ts";

export const MODES = ["kind", "status", "cost", "name"] as const;
export type Mode = (typeof MODES)[number];

export interface Paint {
  solid: string;
  tint: string;
  /** Of text on the solid colour. */
  ink: string;
}

export interface Colours {
  codes: Uint8Array;
  paints: Paint[];
  /** The code of what failed, or -1 where the mode does not tell. */
  error: number;
}

const STEPS = 6;

/** For each span its code in a mode. */
export function codesOf(spans: Spans, mode: Mode): Uint8Array {
  const { count, status, error } = spans;
  const codes = new Uint8Array(count);
  if (mode === "cost") return costs(spans, codes);
  if (mode === "name") {
    for (let span = 0; span < count; span++) codes[span] = spans.name[span]! % KINDS.length;
    return codes;
  }
  if (mode === "status") {
    for (let span = 0; span < count; span++) {
      codes[span] = status[span] === error ? 1 : spans.open[span] ? 2 : 0;
    }
    return codes;
  }
  const kinds = spans.kinds.map((kind) => Math.max(0, (KINDS as readonly string[]).indexOf(kind)));
  for (let span = 0; span < count; span++) {
    codes[span] = status[span] === error ? KINDS.length : kinds[spans.kind[span]!]!;
  }
  return codes;
}

function costs(spans: Spans, codes: Uint8Array): Uint8Array {
  const { span, cost } = spans.calls;
  const bounds = costBounds(spans);
  for (let call = 0; call < span.length; call++) {
    const dollars = cost[call]!;
    if (!(dollars > 0)) continue;
    let step = 1;
    while (step < STEPS && dollars > bounds[step]!) step++;
    codes[span[call]!] = step;
  }
  return codes;
}

/** The least cost, and for each step the most: so that about as many calls are in each step. */
export function costBounds(spans: Spans): number[] {
  const dollars = spans.calls.cost.filter((value) => value > 0).sort();
  const last = dollars.length - 1;
  if (last < 0) return [];
  return Array.from({ length: STEPS + 1 }, (_, step) => dollars[Math.round((last * step) / STEPS)]!);
}

/** What a mode's codes look like. */
export function paintsOf(theme: Theme, mode: Mode): Paint[] {
  const failed = { solid: theme.error, tint: theme.errorTint, ink: theme.background };
  if (mode === "cost") {
    const none = { solid: theme.fill2, tint: theme.fill2, ink: theme.ink };
    const steps = theme.heat.map((solid, step) => ({
      solid,
      tint: theme.heat[0]!,
      ink: step >= STEPS / 2 ? theme.background : theme.ink,
    }));
    return [none, ...steps];
  }
  if (mode === "status") {
    return [
      { solid: theme.quiet, tint: theme.fill2, ink: theme.ink },
      failed,
      { solid: theme.accent, tint: theme.fill2, ink: theme.background },
    ];
  }
  const kinds = theme.kinds.map((solid, kind) => ({ solid, tint: theme.kindTints[kind]!, ink: theme.background }));
  return mode === "kind" ? [...kinds, failed] : kinds;
}

/** The code of what failed in a mode, or -1. */
export function errorCode(mode: Mode): number {
  return mode === "kind" ? KINDS.length : mode === "status" ? 1 : -1;
}
