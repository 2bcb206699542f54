// An item in full: who said what, or what went in and came out. All of it is text.

import { element } from "../timeline/dom.ts";
import type { Page } from "./kernel.ts";

function said(role: string, text: string, calls: string[]): HTMLElement {
  return element(
    "li",
    { class: role === "user" ? "us" : "" },
    element("span", { class: "ro" }, role),
    element(
      "div",
      {},
      text ? element("p", { dir: "auto" }, text) : null,
      ...calls.map((call) => element("p", { class: "m", dir: "auto" }, `→ ${call}`)),
    ),
  );
}

/** The elements of a page. */
export function pageElements(page: Page): HTMLElement[] {
  const shown: HTMLElement[] = [element("p", { class: "me" }, page.facts.join(" · "))];
  if (page.error) shown.push(element("p", { class: "er", dir: "auto" }, `✕ ${page.error}`));
  const lines = page.messages.length
    ? page.messages.map((message) => said(message.role, message.text, message.calls))
    : page.values.map(([label, value]) => said(label, value, []));
  const before = lines.splice(0, page.earlier);
  if (before.length) {
    const summary = element("summary", { class: "q" }, `${before.length} earlier messages`);
    shown.push(element("details", {}, summary, element("ol", { class: "sd" }, ...before)));
  }
  if (lines.length) shown.push(element("ol", { class: "sd" }, ...lines));
  else if (!page.error) shown.push(element("p", { class: "q" }, "Nothing was recorded of what went in and came out."));
  const cut = page.cut ? `${page.cut === 1 ? "1 value is" : `${page.cut} values are`} cut · ` : "";
  shown.push(element("p", { class: "ft" }, cut, element("span", { class: "m" }, page.code)));
  return shown;
}
