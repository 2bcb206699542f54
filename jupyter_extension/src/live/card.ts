// The card: HTML that our kernel's side has made and escaped, as it makes what a cell's output shows without a widget.
// What somebody has opened in it stays open when a newer card takes its place.

/** Puts a card into a place, and keeps which of its details are open, and where the focus was. */
export function replaceCard(place: HTMLElement, html: string): void {
  const before = new Map(detailsOf(place).map(([key, details]) => [key, details]));
  const focused = [...before].find(([, details]) => details.querySelector("summary") === document.activeElement)?.[0];
  place.replaceChildren(...passive(html));
  for (const [key, details] of detailsOf(place)) {
    const known = before.get(key);
    if (known) details.open = known.open;
    if (key === focused) details.querySelector("summary")?.focus({ preventScroll: true });
  }
}

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

/** The details of a card, each with what tells it from the others: its turn, what it is about, and how often that was. */
function detailsOf(place: HTMLElement): [string, HTMLDetailsElement][] {
  const seen = new Map<string, number>();
  return [...place.querySelectorAll("details")].map((details) => {
    const turn = details.closest("li[value]")?.getAttribute("value") ?? "";
    const about = `${turn} ${details.querySelector("summary b")?.textContent ?? ""}`;
    const number = seen.get(about) ?? 0;
    seen.set(about, number + 1);
    return [`${about} ${number}`, details];
  });
}
