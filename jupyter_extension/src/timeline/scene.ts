// All that one frame of the canvas shows.

import type { Colours } from "./colours.ts";
import type { CriticalPath } from "./critical.ts";
import type { Density } from "./density.ts";
import type { Layout } from "./layout.ts";
import type { Longest } from "./longest.ts";
import type { Matches } from "./search.ts";
import type { Spans } from "./spans.ts";
import type { Theme } from "./theme.ts";
import type { TimeWindow } from "./window.ts";

export interface Scene {
  spans: Spans;
  layout: Layout;
  longest: Longest;
  window: TimeWindow;
  density: Density;
  colours: Colours;
  theme: Theme;
  width: number;
  height: number;
  scroll: number;
  /** Pixels of the screen in one of the page. */
  ratio: number;
  selected: number;
  hovered: number;
  /** Where the pointer stands, or -1. */
  pointer: number;
  range: readonly [number, number] | null;
  matches: Matches | null;
  path: CriticalPath | null;
}

/** Where a moment stands on the canvas. */
export function xOf(scene: Scene, time: number): number {
  return ((time - scene.window.from) / scene.window.width) * scene.width;
}
