// Elements brought up to date in place: what is the same stays the very node that it was, and with it what somebody did
// to it: the focus, a selection of text, how far it was scrolled, what was opened, a button that is being pressed.

/** Makes an element's children what newer ones are. */
export function patchChildren(element: Element, newer: readonly Node[]): void {
  const focused = document.activeElement;
  patchAll(element, newer);
  // An element that had to be moved has lost the focus.
  if (focused !== document.activeElement && focused instanceof HTMLElement && element.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

function patchAll(element: Element, newer: readonly Node[]): void {
  const known = new Map<string, ChildNode[]>();
  for (const child of element.childNodes) {
    const same = known.get(nameOf(child));
    if (same) same.push(child);
    else known.set(nameOf(child), [child]);
  }
  const kept = newer.map((child) => known.get(nameOf(child))?.shift());
  for (const gone of known.values()) for (const child of gone) child.remove();
  let place = element.firstChild;
  newer.forEach((child, at) => {
    const own = kept[at];
    if (!own) element.insertBefore(child, place);
    // A node that is moved loses what it was kept for, so that those in their order are left where they are.
    else if (own === place) place = place.nextSibling;
    else element.insertBefore(own, place);
    if (own) patch(own, child);
  });
}

function patch(node: ChildNode, newer: Node): void {
  if (node.isEqualNode(newer)) return;
  if (!(node instanceof Element && newer instanceof Element)) {
    if (node.nodeValue !== newer.nodeValue) node.nodeValue = newer.nodeValue;
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (!newer.hasAttribute(name) && !isTheirs(node, name)) node.removeAttribute(name);
  }
  for (const { name, value } of newer.attributes) {
    if (node.getAttribute(name) !== value && !isTheirs(node, name)) node.setAttribute(name, value);
  }
  patchAll(node, [...newer.childNodes]);
}

/** Whether an attribute says what the one before the screen did, not what there is to show. */
function isTheirs(element: Element, name: string): boolean {
  return name === "open" && element instanceof HTMLDetailsElement;
}

/** What tells a node from others beside it: its number or what it is about; those of one name come in their order. */
function nameOf(node: Node): string {
  if (!(node instanceof Element)) return node.nodeName;
  const told =
    node.getAttribute("data-name") ?? node.getAttribute("value") ?? node.querySelector(ABOUT)?.textContent ?? "";
  return `${node.nodeName} ${node.classList.item(0) ?? ""} ${told}`;
}

const ABOUT = ":scope > th, :scope > legend, :scope > .r b, :scope > details > summary b";
