// The card beside the pointer.

import { element, icon } from "./dom.ts";
import type { Flame } from "./flame.ts";
import { count, duration } from "./format.ts";
import { facts, state } from "./panel.ts";
import type { Spans } from "./spans.ts";

export class Card {
  readonly root = element("div", { class: "hc", "aria-hidden": "true", hidden: true });

  hide(): void {
    this.root.hidden = true;
  }

  /** Shows a span, or a node of the flame view, near a place of the canvas. */
  show(spans: Spans, span: number, flame: Flame | null, x: number, y: number, width: number, height: number): void {
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
