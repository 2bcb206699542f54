// How much ran at once over all of the time, for the minimap: one figure a pixel.

import type { Spans } from "./spans.ts";

export interface Density {
  width: number;
  /** How much ran, of the most, at each pixel. */
  busy: Float32Array;
  /** How many errors, of the most, at each pixel. */
  errors: Float32Array;
}

/** Counts the spans that do the work: those without children. */
export function density(spans: Spans, first: number, last: number, width: number, shown?: Uint8Array): Density {
  const change = new Float32Array(width + 1);
  const errors = new Float32Array(width);
  const scale = width / (last - first);
  for (let span = 0; span < spans.count; span++) {
    if (shown && !shown[span]) continue;
    const left = Math.min(width - 1, Math.max(0, Math.floor((spans.start[span]! - first) * scale)));
    if (spans.status[span] === spans.error) errors[left]!++;
    if (!spans.leaf[span]) continue;
    const end = spans.start[span]! + spans.duration[span]!;
    change[left]!++;
    change[Math.min(width, Math.max(left + 1, Math.ceil((end - first) * scale)))]!--;
  }
  const busy = new Float32Array(width);
  let running = 0;
  for (let x = 0; x < width; x++) {
    running += change[x]!;
    busy[x] = running;
  }
  return { width, busy: normalised(busy), errors: normalised(errors) };
}

function normalised(values: Float32Array): Float32Array {
  let most = 0;
  for (const value of values) if (value > most) most = value;
  return most > 0 ? values.map((value) => value / most) : values;
}
