// Heights: where rows and the heads of groups stand below each other, collapsed or open, and what stands at a height.

import type { Group, Lanes } from "./lanes.ts";

export const MINIMAP = 34;
export const AXIS = 22;
export const TOP = MINIMAP + AXIS;
export const ROW = 19;
export const HEAD = 24;
const GAP = 6;
const FOOT = 8;

export interface Band {
  group: number;
  /** Its row, or -1 for a group's head. */
  row: number;
  y: number;
  height: number;
}

export class Layout {
  readonly height: number;
  private readonly tops: Float64Array;
  private readonly heads: boolean;

  constructor(
    readonly lanes: Lanes,
    readonly collapsed: ReadonlySet<string>,
  ) {
    this.heads = lanes.groups.length > 1 || (lanes.groups[0]?.label ?? "") !== "";
    this.tops = new Float64Array(lanes.groups.length + 1);
    lanes.groups.forEach((group, index) => {
      this.tops[index + 1] = this.tops[index]! + this.groupHeight(group);
    });
    this.height = this.tops[lanes.groups.length]! + FOOT;
  }

  isCollapsed(group: Group): boolean {
    return this.heads && this.collapsed.has(group.label);
  }

  private get headHeight(): number {
    return this.heads ? HEAD : FOOT;
  }

  private groupHeight(group: Group): number {
    return this.headHeight + (this.isCollapsed(group) ? 0 : group.rows * ROW) + GAP;
  }

  /** The bands that stand between two heights, from the top of all of them on. */
  between(from: number, to: number): Band[] {
    const found: Band[] = [];
    for (let index = this.groupAt(from); index < this.lanes.groups.length && this.tops[index]! < to; index++) {
      const group = this.lanes.groups[index]!;
      const top = this.tops[index]!;
      if (this.heads) found.push({ group: index, row: -1, y: top, height: HEAD });
      if (this.isCollapsed(group)) continue;
      const first = Math.max(0, Math.floor((from - top - this.headHeight) / ROW));
      for (let row = first; row < group.rows; row++) {
        const y = top + this.headHeight + row * ROW;
        if (y >= to) break;
        found.push({ group: index, row: group.row + row, y, height: ROW });
      }
    }
    return found;
  }

  /** The band at a height, if there is one. */
  at(y: number): Band | undefined {
    return this.between(y, y + 1).find((band) => y >= band.y && y < band.y + band.height);
  }

  /** Where a row stands; the head of its group where that is collapsed. */
  yOf(row: number): number {
    let low = 0;
    let high = this.lanes.groups.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.lanes.groups[middle]!.row <= row) low = middle;
      else high = middle - 1;
    }
    const group = this.lanes.groups[low]!;
    const top = this.tops[low]!;
    return this.isCollapsed(group) ? top : top + this.headHeight + (row - group.row) * ROW;
  }

  private groupAt(y: number): number {
    let low = 0;
    let high = this.lanes.groups.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.tops[middle]! <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }
}
