// The card beside the pointer.

import { element, icon } from "./dom.ts";
import type { Flame } from "./flame.ts";
import { count, duration } from "./format.ts";
import { facts, state } from "./panel.ts";
import type { Spans } from "./spans.ts";

export class Card {
  readonly root = element("div", { class: "hc", "aria-hidden": "true", hidden: true });

  private x = 0;
  private y = 0;

  /** Where the pointer is. */
  at(x: number, y: number): void {
    this.x = x;
    this.y = y;
  }

  hide(): void {
    this.root.hidden = true;
  }

  /** Shows a span, or a node of the flame view, near the pointer, within a canvas of this size. */
  show(spans: Spans, span: number, flame: Flame | null, width: number, height: number): void {
    const { x, y } = this;
    const [, ...rows] = facts(spans, span);
    const told: [string, string][] = flame
      ? [
          ["spans", count(flame.count[span]!)],
          ["total", duration(flame.total[span]!)],
          ["self", duration(flame.self[span]!)],
        ]
      : rows.map(([label, value]) => [label.toLowerCase(), String(value)]);
    this.root.replaceChildren(
      element(
        "div",
        {},
        icon(spans.kinds[spans.kind[span]!]!),
        element("b", { dir: "auto" }, spans.names[spans.name[span]!] || "(no name)"),
        state(spans, span),
      ),
      element(
        "div",
        { class: "r" },
        ...told.map(([label, value]) => element("span", {}, `${label} `, element("i", {}, value))),
      ),
    );
    this.root.hidden = false;
    const { offsetWidth, offsetHeight } = this.root;
    this.root.style.left = `${Math.max(4, Math.min(width - offsetWidth - 4, x + 14))}px`;
    this.root.style.top = `${y + offsetHeight + 22 > height ? Math.max(0, y - offsetHeight - 10) : y + 18}px`;
  }
}
