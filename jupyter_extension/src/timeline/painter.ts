// One frame: grid, rows and heads of groups, critical path, what is selected, then axis and minimap over them.

import { Bars } from "./bars.ts";
import { count } from "./format.ts";
import { Labels } from "./labels.ts";
import { type Band, HEAD, MINIMAP, ROW, TOP } from "./layout.ts";
import { minimap } from "./minimap.ts";
import { grid, ruler } from "./ruler.ts";
import { type Scene, xOf } from "./scene.ts";
import { isPart, lowerBound } from "./spans.ts";

const MOST_LINKS = 3000;
export const BAR = 8; // width of the scroll bar

export class Painter {
  private readonly context: CanvasRenderingContext2D;
  private readonly labels: Labels;
  private readonly bars: Bars;

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("This browser draws no canvas.");
    this.context = context;
    this.labels = new Labels(context);
    this.bars = new Bars(context, this.labels);
  }

  /** Draws a frame; returns how many rectangles that took. */
  paint(scene: Scene): number {
    const { canvas, context } = this;
    const { width, height, ratio, theme } = scene;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.globalAlpha = 1;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillStyle = theme.background;
    context.fillRect(0, 0, width, height);
    grid(context, scene);
    this.bars.drawn = 0;
    const bands = scene.layout.between(scene.scroll, scene.scroll + height - TOP);
    for (const band of bands) {
      const y = band.y - scene.scroll + TOP;
      if (band.row < 0) this.head(scene, band, y);
      else this.bars.row(scene, band.row, y);
    }
    if (scene.path) this.critical(scene, bands);
    this.outline(scene, scene.hovered, theme.ink, 1);
    this.outline(scene, scene.selected, theme.accent, 2);
    if (scene.range) this.selection(scene, scene.range);
    this.scrollBar(scene);
    ruler(context, this.labels, scene);
    minimap(context, scene);
    return this.bars.drawn;
  }

  private head(scene: Scene, band: Band, y: number): void {
    const { context, labels } = this;
    const { theme, width, layout } = scene;
    const group = layout.lanes.groups[band.group]!;
    const collapsed = layout.isCollapsed(group);
    const middle = y + 10;
    context.fillStyle = theme.fill;
    context.fillRect(0, y, width, HEAD - 4);
    context.fillStyle = theme.ink2;
    context.beginPath();
    if (collapsed) {
      context.moveTo(8, middle - 4);
      context.lineTo(13, middle);
      context.lineTo(8, middle + 4);
    } else {
      context.moveTo(7, middle - 2.5);
      context.lineTo(15, middle - 2.5);
      context.lineTo(11, middle + 2.5);
    }
    context.fill();
    context.font = theme.font("600 12px");
    context.fillStyle = theme.ink;
    const name = labels.fit(group.label, Math.max(60, width - 220));
    context.fillText(name, 20, middle);
    let x = 28 + labels.width(name);
    context.font = theme.font("11px");
    context.fillStyle = theme.ink2;
    const part = isPart(scene.spans);
    const spans = part ? "" : `${count(group.spans)} ${group.spans === 1 ? "span" : "spans"}`;
    context.fillText(spans, x, middle);
    x += labels.width(spans) + 10;
    if (group.errors && !part) {
      context.fillStyle = theme.error;
      context.fillText(`✕ ${count(group.errors)}`, x, middle);
    }
    if (collapsed) this.bars.strip(scene, group.row, group.rows, y + HEAD - 3);
  }

  /** The critical path: a line below the bars, with a link wherever it goes from one to another. */
  private critical(scene: Scene, bands: Band[]): void {
    const { context } = this;
    const { path, window } = scene;
    if (!path) return;
    context.fillStyle = scene.theme.ink;
    const step = window.width / scene.width;
    let links = 0;
    for (const band of bands) {
      if (band.row < 0) continue;
      const y = band.y - scene.scroll + TOP + ROW - 2;
      const end = path.offsets[band.row + 1]!;
      let at = lowerBound(path.end, window.from, path.offsets[band.row]!, end);
      while (at < end && path.start[at]! <= window.to) {
        const left = Math.max(0, xOf(scene, path.start[at]!));
        // What ends within the next pixel is one line with it.
        let reached = path.end[at]!;
        at++;
        while (at < end && path.start[at]! <= reached + step) {
          reached = Math.max(reached, path.end[at]!);
          at++;
        }
        const right = Math.min(scene.width, xOf(scene, reached));
        context.fillRect(left, y, Math.max(1.5, right - left), 2.5);
        if (links++ < MOST_LINKS) this.link(scene, reached, y);
      }
    }
  }

  private link(scene: Scene, time: number, y: number): void {
    const x = xOf(scene, time);
    if (x < 0 || x > scene.width) return;
    this.context.fillRect(x - 0.75, y - 3, 1.5, 5.5);
  }

  private outline(scene: Scene, span: number, colour: string, line: number): void {
    if (span < 0) return;
    const { lanes } = scene.layout;
    const row = lanes.row[span]!;
    if (row < 0) return;
    const y = scene.layout.yOf(row) - scene.scroll + TOP;
    if (y < TOP - ROW || y > scene.height) return;
    const left = Math.max(-4, xOf(scene, scene.spans.start[span]!));
    const end = scene.spans.start[span]! + scene.spans.duration[span]!;
    const right = Math.min(scene.width + 4, xOf(scene, end));
    if (right < 0 || left > scene.width) return;
    this.context.lineWidth = line;
    this.context.strokeStyle = colour;
    this.context.strokeRect(left + 0.5, y + 1.5, Math.max(3, right - left - 1), ROW - 3);
  }

  private selection(scene: Scene, range: readonly [number, number]): void {
    const { context } = this;
    const { theme, width, height } = scene;
    const left = xOf(scene, range[0]);
    const right = xOf(scene, range[1]);
    context.fillStyle = theme.shade;
    context.fillRect(0, TOP, Math.max(0, left), height);
    context.fillRect(right, TOP, Math.max(0, width - right), height);
    context.fillStyle = theme.accent;
    context.fillRect(left - 1, MINIMAP, 1.5, height);
    context.fillRect(right - 0.5, MINIMAP, 1.5, height);
  }

  private scrollBar(scene: Scene): void {
    const room = scene.height - TOP;
    if (scene.layout.height <= room) return;
    const length = Math.max(24, (room * room) / scene.layout.height);
    const y = TOP + (scene.scroll / (scene.layout.height - room)) * (room - length);
    this.context.fillStyle = scene.theme.line2;
    this.context.globalAlpha = 0.6;
    this.context.beginPath();
    this.context.roundRect(scene.width - BAR + 2, y + 2, BAR - 4, length - 4, 2);
    this.context.fill();
    this.context.globalAlpha = 1;
  }
}
