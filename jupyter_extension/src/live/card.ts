// The card: HTML that our kernel's side has made and escaped, as it makes what a cell's output shows without a widget.
// What somebody has opened, selected or scrolled in it stays so when a newer card takes its place.

import { element } from "../timeline/dom.ts";
import { patchChildren } from "../timeline/patch.ts";

/** A place for a card, which becomes no smaller while cards come: what stands below it shall not jump. */
export class Card {
  readonly root = element("div", { class: "live-card" });
  private width = 0;
  private least = 0;

  /** Shows a card; of one that is there already only what has changed is written anew. */
  show(html: string): void {
    const { root } = this;
    const before = this.turns();
    const follows = !before || before.scrollTop + before.clientHeight >= before.scrollHeight - NEAR;
    patchChildren(root, passive(html));
    const turns = this.turns();
    if (turns && follows) turns.scrollTop = turns.scrollHeight;
    if (root.clientWidth !== this.width) this.least = 0;
    root.style.minHeight = this.least ? `${this.least}px` : "";
    this.width = root.clientWidth;
    this.least = Math.max(this.least, root.getBoundingClientRect().height);
  }

  private turns(): HTMLElement | null {
    return this.root.querySelector<HTMLElement>(".tu");
  }
}

const NEAR = 4; // pixels from its end at which a list of turns goes on to show its end
const ACTIVE = "script, iframe, object, embed, base, meta, link, form, template";

/**
 * The nodes of a card, read without running anything. The kernel's side has escaped what came from spans; should it ever
 * fail to, nothing of it runs here: cards have no scripts, handlers or addresses, so whatever is one goes.
 */
function passive(html: string): Node[] {
  const read = new DOMParser().parseFromString(html, "text/html");
  for (const active of read.querySelectorAll(ACTIVE)) active.remove();
  for (const element of read.querySelectorAll("*")) {
    for (const { name } of [...element.attributes]) {
      if (/^on|^(xlink:)?href$|^src|^(form)?action$/.test(name)) element.removeAttribute(name);
    }
  }
  return [...read.head.childNodes, ...read.body.childNodes];
}
