// The bars of one row. What is thinner than a mark is merged with its neighbours into marks that say how busy the row
// was, whether something failed and of which colour the longest span was; so a row costs no more than its pixels.

import { duration } from "./format.ts";
import type { Labels } from "./labels.ts";
import { ROW } from "./layout.ts";
import { type Scene, xOf } from "./scene.ts";
import { lowerBound, lowerBoundNear } from "./spans.ts";

const MARK = 2; // pixels
const TOP = 2;
const HEIGHT = ROW - 4;
const DIMMED = 0.15;
const SHADES = 4; // of how busy a mark was, and how much of it failed
const LABELLED = 24;
const TICKED = 12;

/** Marks side by side that look the same: from the first to the last, each `step` long. */
interface Run {
  scene: Scene | null;
  colour: string;
  alpha: number;
  /** How much failed: of the height, so many of as many parts as there are shades. */
  failed: number;
  y: number;
  step: number;
  first: number;
  last: number;
}

const NO_RUN: Run = { scene: null, colour: "", alpha: 0, failed: 0, y: 0, step: 0, first: 0, last: Number.NaN };

export class Bars {
  /** How many rectangles the last frame drew. */
  drawn = 0;
  private run: Run = NO_RUN;

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly labels: Labels,
  ) {}

  /** Draws a row's spans with its top at `y`. */
  row(scene: Scene, row: number, y: number): void {
    const { window, longest } = scene;
    const { lanes } = scene.layout;
    const step = (MARK * window.width) / scene.width;
    const end = lanes.offsets[row + 1]!;
    let at = lowerBound(lanes.reach, window.from, lanes.offsets[row]!, end);
    while (at < end && lanes.starts[at]! <= window.to) {
      if (lanes.took[at]! >= step) {
        this.flush();
        this.bar(scene, at, y);
        at++;
        continue;
      }
      // Marks stand on a grid of time, so that they stay what they are while the window moves.
      const mark = Math.floor(lanes.starts[at]! / step);
      let next = lowerBoundNear(lanes.starts, (mark + 1) * step, at, end);
      let widest = next > at + 1 ? longest.between(at, next) : at;
      if (widest > at && lanes.took[widest]! >= step) {
        next = widest;
        widest = longest.between(at, next);
      }
      this.mark(scene, at, next, widest, mark, step, y);
      at = next;
    }
    this.flush();
    this.context.globalAlpha = 1;
  }

  /** A group that is collapsed: all it did, thin, in its head. */
  strip(scene: Scene, first: number, rows: number, y: number): void {
    const { lanes } = scene.layout;
    const { window, colours } = scene;
    const step = (MARK * window.width) / scene.width;
    for (let row = Math.min(first + rows, first + 3) - 1; row >= first; row--) {
      const end = lanes.offsets[row + 1]!;
      let at = lowerBound(lanes.reach, window.from, lanes.offsets[row]!, end);
      while (at < end && lanes.starts[at]! <= window.to) {
        const start = lanes.starts[at]!;
        const next = lowerBoundNear(lanes.starts, start + step, at, end);
        const failed = lanes.errors[next]! - lanes.errors[at]! > 0 && colours.error >= 0;
        const code = failed ? colours.error : colours.codes[lanes.order[at]!]!;
        const left = Math.max(0, xOf(scene, start));
        const right = Math.min(scene.width, xOf(scene, Math.max(start + lanes.took[at]!, lanes.reach[next - 1]!)));
        this.context.fillStyle = colours.paints[code]!.solid;
        this.context.fillRect(left, y + (row - first), Math.max(MARK, right - left), 3 - (row - first));
        this.drawn++;
        at = next;
      }
    }
  }

  /** What is merged into one mark; marks side by side that look the same are one rectangle. */
  private mark(scene: Scene, from: number, to: number, widest: number, mark: number, step: number, y: number): void {
    const { colours, layout, matches, spans } = scene;
    const { lanes } = layout;
    const span = lanes.order[widest]!;
    const share = colours.error < 0 ? 0 : (lanes.errors[to]! - lanes.errors[from]!) / (to - from);
    // A few errors among many spans are a red cap, not a red row.
    const failed = Math.ceil(Math.sqrt(share) * SHADES);
    const code = colours.codes[span]!;
    const paint = colours.paints[code === colours.error && failed < SHADES ? wellCode(scene, span) : code]!;
    const busy = Math.min(1, (lanes.busy[to]! - lanes.busy[from]!) / step);
    const fits = !matches || matches.before[to]! > matches.before[from]!;
    const alpha = fits ? 0.45 + (0.55 * Math.ceil(busy * SHADES)) / SHADES : DIMMED;
    const colour = spans.leaf[span] ? paint.solid : paint.tint;
    const { run } = this;
    const same = run.colour === colour && run.alpha === alpha && run.failed === failed && run.y === y;
    if (same && run.last + 1 === mark) run.last = mark;
    else {
      this.flush();
      this.run = { scene, colour, alpha, failed, y, step, first: mark, last: mark };
    }
    if (!matches || !fits) return;
    this.flush();
    this.found(scene, this.x(scene, mark, step), MARK, y);
  }

  /** Draws the marks that wait for more of their kind. */
  private flush(): void {
    const { context, run } = this;
    if (!run.scene) return;
    const left = this.x(run.scene, run.first, run.step);
    context.globalAlpha = run.alpha;
    context.fillStyle = run.colour;
    const width = (run.last - run.first + 1) * MARK;
    context.fillRect(left, run.y + TOP, width, HEIGHT);
    if (run.failed > 0) {
      context.globalAlpha = run.alpha === DIMMED ? DIMMED : 1;
      context.fillStyle = run.scene.theme.error;
      context.fillRect(left, run.y + TOP, width, (HEIGHT * run.failed) / SHADES);
    }
    this.run = NO_RUN;
    this.drawn++;
  }

  /** Where a mark stands: on a whole pixel of the screen. */
  private x(scene: Scene, mark: number, step: number): number {
    return Math.round(xOf(scene, mark * step) * scene.ratio) / scene.ratio;
  }

  private bar(scene: Scene, at: number, y: number): void {
    const { context } = this;
    const { colours, matches, spans, theme } = scene;
    const span = scene.layout.lanes.order[at]!;
    const start = spans.start[span]!;
    const left = Math.max(-8, xOf(scene, start));
    const right = Math.min(scene.width + 8, xOf(scene, start + spans.duration[span]!));
    const width = Math.max(MARK - 0.5, right - left - 0.5);
    const code = colours.codes[span]!;
    const paint = colours.paints[code]!;
    const leaf = spans.leaf[span] === 1;
    const fits = !matches || matches.mask[span] === 1;
    context.globalAlpha = fits ? 1 : DIMMED;
    context.fillStyle = leaf ? paint.solid : paint.tint;
    if (width > 5) {
      context.beginPath();
      context.roundRect(left, y + TOP, width, HEIGHT, 2);
      context.fill();
      if (code === colours.error && theme.hatch && leaf) {
        context.fillStyle = theme.hatch;
        context.fill();
      }
    } else context.fillRect(left, y + TOP, width, HEIGHT);
    if (!leaf) {
      context.fillStyle = paint.solid;
      context.fillRect(left, y + TOP, Math.min(2.5, width / 4), HEIGHT);
    }
    if (width > TICKED) this.waiting(scene, span, left, right, y);
    if (spans.open[span]) this.unfinished(scene, right, width, y);
    if (width > LABELLED) this.label(scene, span, left, right, y);
    if (width > TICKED) this.events(scene, span, y);
    if (matches && fits) this.found(scene, left, Math.max(4, width), y);
    this.drawn++;
  }

  private found(scene: Scene, left: number, width: number, y: number): void {
    this.context.globalAlpha = 1;
    this.context.fillStyle = scene.theme.accent;
    this.context.fillRect(left, y + ROW - 3, width, 2);
  }

  /** The time until the first chunk: pale below, with a tick at its end. */
  private waiting(scene: Scene, span: number, left: number, right: number, y: number): void {
    const call = scene.spans.call[span]!;
    const first = call < 0 ? Number.NaN : scene.spans.calls.first[call]!;
    if (!(first > 0)) return;
    const at = xOf(scene, scene.spans.start[span]! + first);
    this.context.fillStyle = scene.theme.shade;
    this.context.fillRect(left, y + TOP + HEIGHT - 3, Math.max(0, Math.min(at, right) - left), 3);
    if (at <= left || at >= right) return;
    // Short, so that it crosses no name.
    this.context.fillStyle = scene.theme.background;
    this.context.fillRect(at - 0.5, y + TOP + HEIGHT - 5, 1.5, 5);
  }

  private unfinished(scene: Scene, right: number, width: number, y: number): void {
    this.context.fillStyle = scene.theme.background;
    for (let stripe = 0; stripe < 3 && stripe * 4 + 2 < width; stripe++) {
      this.context.fillRect(right - 2.5 - stripe * 4, y + TOP, 1.5, HEIGHT);
    }
  }

  /** The name, cut to what fits, where it begins in the window; then the duration, where there is room. */
  private label(scene: Scene, span: number, left: number, right: number, y: number): void {
    const { context, labels } = this;
    const { colours, spans, theme } = scene;
    const leaf = spans.leaf[span] === 1;
    const from = Math.max(0, left) + (leaf || left < 0 ? 5 : 7);
    const room = Math.min(right, scene.width) - from - 4;
    context.font = theme.font(leaf ? "500 11px" : "11px");
    const sign = spans.status[span] === spans.error ? "✕ " : "";
    const name = sign + (spans.names[spans.name[span]!] || "(no name)");
    const text = labels.fit(name, room);
    if (!text) return;
    context.fillStyle = leaf ? colours.paints[colours.codes[span]!]!.ink : theme.ink;
    context.fillText(text, from, y + ROW / 2 + 0.5);
    const took = spans.open[span] ? "running" : duration(spans.duration[span]!);
    const width = labels.width(name);
    if (text !== name || room - width - 14 < labels.width(took)) return;
    context.globalAlpha *= 0.75;
    context.fillText(took, from + width + 9, y + ROW / 2 + 0.5);
  }

  /** Events as ticks above the bar; what stands closer than three pixels to another one is left out. */
  private events(scene: Scene, span: number, y: number): void {
    const { events } = scene.spans;
    let at = lowerBound(events.span, span);
    if (at >= events.span.length || events.span[at] !== span) return;
    const end = lowerBound(events.span, span + 1, at);
    const step = (3 * scene.window.width) / scene.width;
    at = lowerBound(events.time, scene.window.from, at, end);
    const { context } = this;
    context.fillStyle = scene.theme.ink;
    context.strokeStyle = scene.theme.background;
    context.lineWidth = 1;
    while (at < end && events.time[at]! <= scene.window.to) {
      const x = xOf(scene, events.time[at]!);
      context.beginPath();
      context.moveTo(x - 3.5, y + 0.5);
      context.lineTo(x + 3.5, y + 0.5);
      context.lineTo(x, y + 6);
      context.closePath();
      context.fill();
      context.stroke();
      at = lowerBound(events.time, events.time[at]! + step, at + 1, end);
    }
  }
}

/** The code that a span that failed would have, had it not. */
function wellCode({ colours, spans }: Scene, span: number): number {
  return colours.error === spans.kinds.length ? spans.kind[span]! : 0;
}
