// The axis above the lanes: marks with labels, the measure of what is selected, the moment under the pointer.

import { exact, marks } from "./axis.ts";
import { duration } from "./format.ts";
import type { Labels } from "./labels.ts";
import { AXIS, MINIMAP, TOP } from "./layout.ts";
import { type Scene, xOf } from "./scene.ts";

const CLOSEST = 86;

/** The marks of a scene, for the axis and for the grid below it. */
export function marksOf(scene: Scene) {
  return marks(scene.window.from, scene.window.to, (scene.window.width / scene.width) * CLOSEST);
}

/** Lines of the grid, behind the bars. */
export function grid(context: CanvasRenderingContext2D, scene: Scene): void {
  context.fillStyle = scene.theme.line;
  for (const mark of marksOf(scene)) context.fillRect(Math.round(xOf(scene, mark.time)), TOP, 1, scene.height);
}

/** The axis itself. */
export function ruler(context: CanvasRenderingContext2D, labels: Labels, scene: Scene): void {
  const { theme, width, range } = scene;
  context.fillStyle = theme.background;
  context.fillRect(0, MINIMAP, width, AXIS);
  const taken = range ? measure(context, labels, scene, range, true) : null;
  context.font = theme.font("11px");
  context.fillStyle = theme.ink2;
  for (const mark of marksOf(scene)) {
    const x = xOf(scene, mark.time);
    const right = x + 4 + labels.width(mark.label);
    context.fillRect(Math.round(x), TOP - 5, 1, 5);
    if (right < width - 2 && (!taken || right + 4 < taken[0] || x > taken[1])) {
      context.fillText(mark.label, x + 4, MINIMAP + AXIS / 2);
    }
  }
  context.fillStyle = theme.line;
  context.fillRect(0, TOP - 1, width, 1);
  if (range) measure(context, labels, scene, range, false);
  else if (scene.pointer >= 0 && scene.pointer < width) moment(context, labels, scene);
}

/** How long the selected stretch is; returns from where to where its label reaches. */
function measure(
  context: CanvasRenderingContext2D,
  labels: Labels,
  scene: Scene,
  range: readonly [number, number],
  onlyPlace: boolean,
): [number, number] {
  const { theme, width } = scene;
  const from = Math.max(0, xOf(scene, range[0]));
  const to = Math.min(width, xOf(scene, range[1]));
  const text = duration(range[1] - range[0]);
  context.font = theme.font("600 11px");
  const half = labels.width(text) / 2 + 6;
  const middle = Math.max(half, Math.min(width - half, (from + to) / 2));
  if (onlyPlace) return [middle - half, middle + half];
  context.fillStyle = theme.accent;
  context.fillRect(from, TOP - 3, Math.max(0, to - from), 3);
  pill(context, text, middle, half, theme.background);
  return [middle - half, middle + half];
}

function moment(context: CanvasRenderingContext2D, labels: Labels, scene: Scene): void {
  const { theme, width, pointer, window } = scene;
  const pixel = window.width / width;
  const text = exact(window.from + pointer * pixel, pixel);
  context.font = theme.font("11px");
  const half = labels.width(text) / 2 + 5;
  context.fillStyle = theme.line2;
  context.fillRect(Math.round(pointer), TOP, 1, scene.height);
  context.fillStyle = theme.ink;
  pill(context, text, Math.max(half, Math.min(width - half, pointer)), half, theme.background);
}

function pill(context: CanvasRenderingContext2D, text: string, middle: number, half: number, ink: string): void {
  context.beginPath();
  context.roundRect(middle - half, MINIMAP + 3, half * 2, 16, 3);
  context.fill();
  context.fillStyle = ink;
  context.textAlign = "center";
  context.fillText(text, middle, MINIMAP + 11.5);
  context.textAlign = "left";
}
