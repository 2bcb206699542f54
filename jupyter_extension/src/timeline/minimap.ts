// All of the time in a strip: how busy it was, where something failed, which part the window shows.

import { MINIMAP } from "./layout.ts";
import type { Scene } from "./scene.ts";

/** Draws the strip. */
export function minimap(context: CanvasRenderingContext2D, scene: Scene): void {
  const { density, theme, width, window } = scene;
  context.fillStyle = theme.fill;
  context.fillRect(0, 0, width, MINIMAP);
  context.fillStyle = theme.ink2;
  context.globalAlpha = 0.5;
  for (let x = 0; x < density.width; x++) {
    const part = density.busy[x]!;
    if (part <= 0) continue;
    const height = 2 + (MINIMAP - 10) * Math.sqrt(part);
    context.fillRect(x, MINIMAP - 2 - height, 1, height);
  }
  context.fillStyle = theme.error;
  for (let x = 0; x < density.width; x++) {
    const part = density.errors[x]!;
    if (part <= 0) continue;
    context.globalAlpha = 0.3 + 0.7 * part;
    context.fillRect(x - 0.5, 1, 2, 5);
  }
  context.globalAlpha = 1;
  const scale = width / (window.last - window.first);
  const left = (window.from - window.first) * scale;
  const right = (window.to - window.first) * scale;
  if (right - left < width - 2) {
    context.fillStyle = theme.shade;
    context.fillRect(0, 0, left, MINIMAP);
    context.fillRect(right, 0, width - right, MINIMAP);
  }
  if (scene.range) {
    const from = (scene.range[0] - window.first) * scale;
    const to = (scene.range[1] - window.first) * scale;
    context.fillStyle = theme.accent;
    context.globalAlpha = 0.25;
    context.fillRect(from, 0, Math.max(1, to - from), MINIMAP);
    context.globalAlpha = 1;
  }
  context.strokeStyle = theme.accent;
  context.lineWidth = 1.5;
  context.strokeRect(Math.max(0.75, left), 0.75, Math.min(width - 1.5, Math.max(4, right - left)), MINIMAP - 2);
  context.fillStyle = theme.line;
  context.fillRect(0, MINIMAP, width, 1);
}
