// How far a review has come.

import type { Row } from "./kernel.ts";

/** The next place without a judgement, from a place on and then from the start; -1 where all have one. */
export function nextOpen(rows: readonly Row[], from: number): number {
  for (let step = 0; step < rows.length; step++) {
    const place = (from + step) % rows.length;
    if (!rows[place]?.verdict) return place;
  }
  return -1;
}

export interface Progress {
  done: number;
  total: number;
  passed: number;
  failed: number;
}

export function progress(rows: readonly Row[]): Progress {
  const labels = rows.map((row) => row.verdict?.label);
  return {
    done: rows.filter((row) => row.verdict).length,
    total: rows.length,
    passed: labels.filter((label) => label === "pass").length,
    failed: labels.filter((label) => label === "fail").length,
  };
}

/** "12 of 20 reviewed · 10 pass · 2 fail". */
export function progressText({ done, total, passed, failed }: Progress): string {
  const parts = [`${done} of ${total} reviewed`];
  if (passed) parts.push(`${passed} pass`);
  if (failed) parts.push(`${failed} fail`);
  return parts.join(" · ");
}
