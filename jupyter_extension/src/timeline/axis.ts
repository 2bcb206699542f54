// The time axis: where its marks stand, and what they say.

import { DAY, duration, HOUR, MINUTE, SECOND } from "./format.ts";

const ROUND = [1, 2, 5];
// What a clock divides into, from ten seconds on; below, 1, 2 and 5 times a power of ten.
const CLOCK = [
  ...[10, 20, 30].map((times) => times * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((times) => times * MINUTE),
  ...[1, 2, 3, 6, 12].map((times) => times * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((times) => times * DAY),
];

/** The smallest round number of nanoseconds that is at least this. */
export function roundStep(least: number): number {
  if (least > 5 * SECOND) {
    const found = CLOCK.find((step) => step >= least);
    if (found !== undefined) return found;
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-3)));
  for (const times of ROUND) if (times * power >= least * (1 - 1e-9)) return times * power;
  return 10 * power;
}

export interface Mark {
  time: number;
  label: string;
}

/** The marks of a window; `least` is the smallest distance of two of them, in nanoseconds. */
export function marks(from: number, to: number, least: number): Mark[] {
  const step = roundStep(least);
  const first = Math.ceil(from / step - 1e-9) * step;
  const widest = Math.max(Math.abs(from), Math.abs(to));
  const found: Mark[] = [];
  // Where a mark would need many digits, only the first one tells all of them, and the others how much later they are.
  const deep = step < widest / 5e4 && first > 0;
  for (let index = 0; index < 1000; index++) {
    const time = first + index * step;
    if (time > to) break;
    const later = deep && index > 0;
    found.push({ time, label: later ? `+${label(index * step, step, index * step)}` : label(time, step, widest) });
  }
  return found;
}

function digits(step: number, unit: number): number {
  return Math.max(0, Math.min(9, Math.ceil(-Math.log10(step / unit) - 1e-9)));
}

/** A moment on the axis, as exact as the step asks for. */
export function label(time: number, step: number, widest: number): string {
  if (time === 0) return "0";
  const sign = time < 0 ? "-" : "";
  const size = Math.abs(time);
  if (widest < 1e3) return `${sign}${size.toFixed(digits(step, 1))} ns`;
  if (widest < 1e6) return `${sign}${(size / 1e3).toFixed(digits(step, 1e3))} µs`;
  if (widest < SECOND) return `${sign}${(size / 1e6).toFixed(digits(step, 1e6))} ms`;
  if (widest < 2 * MINUTE) return `${sign}${(size / SECOND).toFixed(digits(step, SECOND))} s`;
  return sign + clock(size, step);
}

function clock(time: number, step: number): string {
  if (step >= DAY) return `${Math.round(time / DAY)} d`;
  const days = Math.floor(time / DAY);
  const day = days > 0 ? `${days} d ` : "";
  if (step >= HOUR) return `${day}${Math.round((time % DAY) / HOUR)} h`;
  if (step >= MINUTE && time < HOUR) return `${Math.round(time / MINUTE)} min`;
  // Rounded once, as a whole: 59.96 s is the next minute.
  const places = digits(step, SECOND);
  const rounded = Math.round((time / SECOND) * 10 ** places) / 10 ** places;
  const seconds = (rounded % 60).toFixed(places).padStart(places ? places + 3 : 2, "0");
  const minutes = Math.floor(rounded / 60) % 60;
  const hours = Math.floor(rounded / 3600) % 24;
  if (time < HOUR) return `${minutes}:${seconds}`;
  return `${day}${hours}:${String(minutes).padStart(2, "0")}:${seconds}`;
}

/** What the line under the pointer says: as exact as a pixel. */
export function exact(time: number, pixel: number): string {
  const step = 10 ** Math.floor(Math.log10(Math.max(pixel, 1e-3)));
  return Math.abs(time) < step ? "0" : label(Math.round(time / step) * step, step, Math.abs(time));
}

export { duration };
