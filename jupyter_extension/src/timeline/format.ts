// Numbers, times and counts as people read them; the same words as mirascope_ops/views/format.py writes.

const US = 1e3;
const MS = 1e6;
export const SECOND = 1e9;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

// Nanoseconds below which a unit serves, the unit, its digits and its name.
const UNITS: readonly [number, number, number, string][] = [
  [US, 1, 0, "ns"],
  [999_500, US, 0, "µs"],
  [999_950_000, MS, 1, "ms"],
  [9_995_000_000, SECOND, 2, "s"],
  [59_950_000_000, SECOND, 1, "s"],
];

/** A duration with the unit that keeps it short: "164.7 ms". */
export function duration(ns: number): string {
  if (ns < 0) return `-${duration(-ns)}`;
  if (ns === 0) return "0 ms";
  for (const [below, unit, digits, name] of UNITS) if (ns < below) return `${(ns / unit).toFixed(digits)} ${name}`;
  const seconds = Math.round(ns / SECOND);
  const minutes = Math.round(ns / MINUTE);
  if (seconds * SECOND < HOUR) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (minutes * MINUTE < DAY) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(ns / HOUR);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A time after the timeline's start: "+8.1 ms". */
export function offset(ns: number): string {
  return ns < 0 ? duration(ns) : `+${duration(ns)}`;
}

const COUNT = new Intl.NumberFormat("en-US");

/** A whole number with thousands separated. */
export function count(number: number): string {
  return COUNT.format(number);
}

/** A number with its noun: "1 span", "1,234 spans". */
export function plural(number: number, noun: string, many = `${noun}s`): string {
  return `${count(number)} ${number === 1 ? noun : many}`;
}

/** An amount of US dollars with as many digits as it needs: "$0.000026", "$1.87". */
export function usd(dollars: number): string {
  if (dollars < 0) return `-${usd(-dollars)}`;
  if (dollars === 0) return "$0";
  if (dollars < 5e-7) return "<$0.000001";
  if (dollars < 0.00095) return `$${dollars.toFixed(6)}`;
  if (dollars < 0.9995) return `$${dollars.toFixed(4)}`;
  return `$${COUNT.format(Math.round(dollars * 100) / 100)}`;
}

/** Tokens in and out: "111 → 19"; what was not reported is left out. */
export function tokenFlow(given: number | null, answered: number | null): string {
  if (given === null) return answered === null ? "" : `${count(answered)} out`;
  if (answered === null) return `${count(given)} in`;
  return `${count(given)} → ${count(answered)}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A moment, in UTC and English: "24 Nov 2026, 19:23:59.123 UTC". */
export function date(ns: bigint): string {
  const at = new Date(Number(ns / 1_000_000n));
  if (Number.isNaN(at.getTime())) return `${ns} ns after 1970`;
  const clock = at.toISOString().slice(11, 23);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}, ${clock} UTC`;
}
