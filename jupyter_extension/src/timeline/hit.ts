// What stands under the pointer.

import type { Lanes } from "./lanes.ts";
import { AXIS, type Layout, MINIMAP, TOP } from "./layout.ts";
import { upperBound } from "./spans.ts";
import type { TimeWindow } from "./window.ts";

export type Hit =
  | { where: "minimap" | "axis" | "empty" }
  | { where: "head"; group: number }
  | { where: "span"; span: number };

const NEAR = 2; // pixels
const MOST_LOOKED_AT = 64;

/** What stands at a place of the canvas. */
export function hit(layout: Layout, window: TimeWindow, width: number, scroll: number, x: number, y: number): Hit {
  if (y < MINIMAP) return { where: "minimap" };
  if (y < MINIMAP + AXIS) return { where: "axis" };
  const band = layout.at(y - TOP + scroll);
  if (!band) return { where: "empty" };
  if (band.row < 0) return { where: "head", group: band.group };
  const pixel = window.width / width;
  const span = spanAt(layout.lanes, band.row, window.from + x * pixel, NEAR * pixel);
  return span < 0 ? { where: "empty" } : { where: "span", span };
}

/** The span of a row at a moment, or the nearest one that is not further away than `near`; else -1. */
export function spanAt(lanes: Lanes, row: number, time: number, near: number): number {
  const first = lanes.offsets[row]!;
  let best = -1;
  let distance = near;
  let at = upperBound(lanes.starts, time + near, first, lanes.offsets[row + 1]!) - 1;
  for (let looked = 0; at >= first && looked < MOST_LOOKED_AT; at--, looked++) {
    if (lanes.reach[at]! < time - near) break;
    const start = lanes.starts[at]!;
    const end = start + (lanes.busy[at + 1]! - lanes.busy[at]!);
    const away = Math.max(start - time, time - end, 0);
    if (away < distance || (best < 0 && away <= distance)) {
      best = lanes.order[at]!;
      distance = away;
    }
    if (away === 0) break;
  }
  return best;
}
