// Pointer, wheel and keys on the canvas, as what they ask for. The page's wheel is the page's: it zooms when the canvas
// has the focus, or with Ctrl. One finger pans, two fingers zoom.

import { hit } from "./hit.ts";
import { type Layout, MINIMAP, TOP } from "./layout.ts";
import { BAR } from "./painter.ts";
import type { TimeWindow } from "./window.ts";

/** What input acts on. */
export interface Stage {
  readonly window: TimeWindow;
  readonly layout: Layout;
  readonly width: number;
  readonly height: number;
  readonly scroll: number;
  scrollTo: (y: number) => void;
  moved: () => void;
  point: (x: number, y: number, span: number) => void;
  unpoint: () => void;
  choose: (span: number) => void;
  toggle: (group: number) => void;
  focusOn: (span: number) => void;
  select: (range: readonly [number, number] | null, done: boolean) => void;
  key: (key: string) => boolean;
}

type Drag = "minimap" | "range" | "pan" | "scroll";
const THRESHOLD = 3; // pixels before a press is a drag

interface Press {
  drag: Drag;
  x: number;
  y: number;
  startX: number;
  startY: number;
  time: number;
  moved: boolean;
}

export class Input {
  private press: Press | null = null;
  private readonly fingers = new Map<number, { x: number; y: number }>();

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly stage: Stage,
  ) {
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.end(event));
    canvas.addEventListener("pointerleave", () => this.press || stage.unpoint());
    canvas.addEventListener("dblclick", (event) => {
      const found = this.hit(event.offsetX, event.offsetY);
      if (found.where === "span") stage.focusOn(found.span);
    });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("blur", () => delete canvas.dataset["pressed"]);
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !stage.key(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  private hit(x: number, y: number) {
    const { layout, window, width, scroll } = this.stage;
    return hit(layout, window, width, scroll, x, y);
  }

  private time(x: number): number {
    return this.stage.window.from + (x / this.stage.width) * this.stage.window.width;
  }

  private down(event: PointerEvent): void {
    if (event.button > 0) return;
    const { offsetX: x, offsetY: y } = event;
    // The focus decides whose the wheel is; a ring around it is for those who came by key.
    this.canvas.dataset["pressed"] = "";
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, { x, y });
    if (this.fingers.size > 1) {
      this.press = null;
      return;
    }
    const bar = x > this.stage.width - BAR - 2 && this.stage.layout.height > this.stage.height - TOP;
    const drag = y < MINIMAP ? "minimap" : y < TOP || event.shiftKey ? "range" : bar ? "scroll" : "pan";
    this.press = { drag, x, y, startX: x, startY: y, time: this.time(x), moved: false };
    if (drag === "minimap") this.centre(x);
  }

  private move(event: PointerEvent): void {
    const { offsetX: x, offsetY: y } = event;
    if (this.fingers.size > 1 && this.fingers.has(event.pointerId)) {
      this.pinch(event.pointerId, x, y);
      return;
    }
    const { press, stage } = this;
    if (!press) {
      this.hover(event, x, y);
      return;
    }
    press.moved ||= Math.abs(x - press.startX) + Math.abs(y - press.startY) > THRESHOLD;
    if (press.drag === "minimap") this.centre(x);
    else if (press.moved) this.dragged(press, x, y);
    press.x = x;
    press.y = y;
    stage.unpoint();
  }

  private dragged(press: Press, x: number, y: number): void {
    const { stage } = this;
    if (press.drag === "range") {
      const time = this.time(Math.max(0, Math.min(stage.width, x)));
      stage.select([Math.min(time, press.time), Math.max(time, press.time)], false);
    } else if (press.drag === "scroll") {
      stage.scrollTo(stage.scroll + ((y - press.y) * stage.layout.height) / (stage.height - TOP));
    } else {
      stage.window.pan(((press.x - x) / stage.width) * stage.window.width);
      stage.scrollTo(stage.scroll + press.y - y);
      this.canvas.style.cursor = "grabbing";
      stage.moved();
    }
  }

  private up(event: PointerEvent): void {
    const { press, stage } = this;
    this.end(event);
    if (!press) return;
    if (press.drag === "range" && press.moved) {
      const time = this.time(Math.max(0, Math.min(stage.width, event.offsetX)));
      stage.select([Math.min(time, press.time), Math.max(time, press.time)], true);
      return;
    }
    if (press.moved || press.drag === "minimap" || press.drag === "scroll") return;
    const found = this.hit(event.offsetX, event.offsetY);
    if (found.where === "head") stage.toggle(found.group);
    else if (found.where === "span") stage.choose(found.span);
    else if (found.where === "axis") stage.select(null, true);
    else stage.choose(-1);
  }

  private end(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    this.press = null;
    this.canvas.style.cursor = "";
  }

  private hover(event: PointerEvent, x: number, y: number): void {
    const found = this.hit(x, y);
    const cursors = { minimap: "grab", axis: "col-resize", head: "pointer", span: "pointer", empty: "default" };
    this.canvas.style.cursor = cursors[found.where];
    if (event.pointerType !== "touch") this.stage.point(x, y, found.where === "span" ? found.span : -1);
  }

  private centre(x: number): void {
    const { window, width } = this.stage;
    const middle = window.first + (x / width) * (window.last - window.first);
    window.pan(middle - (window.from + window.to) / 2);
    this.stage.moved();
  }

  private pinch(id: number, x: number, y: number): void {
    const [one, other] = [...this.fingers.values()];
    const before = { distance: Math.abs(one!.x - other!.x), middle: (one!.x + other!.x) / 2 };
    this.fingers.set(id, { x, y });
    const [left, right] = [...this.fingers.values()];
    const distance = Math.abs(left!.x - right!.x);
    const middle = (left!.x + right!.x) / 2;
    const { window, width } = this.stage;
    if (before.distance > 8 && distance > 8) window.zoom(before.distance / distance, middle / width);
    window.pan(((before.middle - middle) / width) * window.width);
    this.stage.moved();
  }

  private wheel(event: WheelEvent): void {
    const { stage } = this;
    const pixels = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? stage.height : 1;
    const [dx, dy] = [event.deltaX * pixels, event.deltaY * pixels];
    if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) {
      stage.window.pan(((dx || dy) / stage.width) * stage.window.width);
    } else if (event.ctrlKey || event.metaKey || document.activeElement === this.canvas) {
      stage.window.zoom(Math.exp(dy * 0.0025), event.offsetX / stage.width);
    } else return;
    event.preventDefault();
    stage.moved();
  }
}
