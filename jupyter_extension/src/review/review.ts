// Judging one item after the other by the keyboard; what is judged is kept by the kernel, and shown as kept only then.

import { button, element } from "../timeline/dom.ts";
import type { Kernel, Page, Row, Verdict } from "./kernel.ts";
import { type Action, actionOf } from "./keys.ts";
import { pageElements } from "./page.ts";
import { nextOpen, progress, progressText } from "./progress.ts";

const HELP = "P pass · F fail · 1–5 score · N note · U undo · J K next, previous · O next open";
const EMPTY: Verdict = { label: null, score: null, note: "" };
const SIGNS: Record<string, string> = { pass: "✓", fail: "✕" };

export class Review {
  private readonly root = element("section", {
    class: "mo rv",
    "aria-label": "Review",
    "data-lm-suppress-shortcuts": "true",
    tabindex: 0,
  });
  private readonly told = element("span", { class: "pg", role: "status" });
  private readonly bar = element("progress", { "aria-label": "Reviewed" });
  private readonly list = element("ol", { class: "li", "aria-label": "Items" });
  private readonly title = element("h4", {});
  private readonly page = element("div", { class: "pa", tabindex: 0, "aria-label": "Item" });
  private readonly pass = button("✓ Pass", { title: "P" }, () => this.act({ kind: "label", label: "pass" }));
  private readonly fail = button("✕ Fail", { title: "F" }, () => this.act({ kind: "label", label: "fail" }));
  private readonly scores = [1, 2, 3, 4, 5].map((score) =>
    button(String(score), { title: `Score ${score}`, "aria-label": `Score ${score}` }, () =>
      this.act({ kind: "score", score }),
    ),
  );
  private readonly note = element("textarea", {
    rows: 2,
    maxlength: 10_000,
    dir: "auto",
    placeholder: "Note (N); Enter keeps it, Shift+Enter is a new line, Esc leaves it",
    "aria-label": "Note",
  });
  private readonly state = element("span", { class: "ss", "aria-live": "polite" });
  private readonly rows: Row[];
  private readonly pages = new Map<number, Promise<Page>>();
  /** Judgements that the kernel has not confirmed, by place, and those that it refused. */
  private readonly unkept = new Map<number, Verdict>();
  private readonly refused = new Map<number, string>();
  private place: number;

  constructor(
    parent: HTMLElement,
    private readonly kernel: Kernel,
  ) {
    this.rows = kernel.rows();
    this.place = kernel.cursor();
    kernel.judged = (item, verdict) => this.judged(item, verdict);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.note.addEventListener("change", () => this.noted());
    const judging = element(
      "div",
      { class: "jd" },
      element("div", { class: "bs" }, this.pass, this.fail, element("span", { class: "q" }, "Score"), ...this.scores),
      this.note,
      element("div", { class: "bs" }, this.state, element("span", { class: "q hp" }, HELP)),
    );
    const main = element("div", { class: "mn" }, this.title, this.page, judging);
    this.root.append(element("div", { class: "tp" }, element("b", {}, "Review"), this.bar, this.told), this.list, main);
    this.list.append(...this.rows.map((row, place) => this.item(row, place)));
    parent.append(this.root);
    if (this.rows.length) this.show(this.place);
    else this.title.textContent = "There is nothing to review here.";
    this.progress();
  }

  dispose(): void {
    this.kernel.judged = () => {};
  }

  // --- what is shown

  private item(row: Row, place: number): HTMLElement {
    const made = element("li", {}, element("span", { class: "vd" }), element("span", { class: "nm", dir: "auto" }));
    made.children[1]!.textContent = row.about || row.name;
    made.addEventListener("click", () => {
      this.show(place);
      this.root.focus({ preventScroll: true });
    });
    return made;
  }

  private show(place: number): void {
    this.place = place;
    this.kernel.moved(place);
    const row = this.rows[place]!;
    this.title.textContent = `${place + 1}. ${row.name}`;
    this.page.scrollTop = 0;
    this.verdict();
    const asked = this.pages.get(place) ?? this.kernel.page(place);
    this.pages.set(place, asked);
    asked.then(
      (page) => {
        if (this.place === place) this.page.replaceChildren(...pageElements(page));
      },
      (error: Error) => {
        this.pages.delete(place);
        if (this.place === place) this.page.replaceChildren(element("p", { class: "er" }, error.message));
      },
    );
    if (place + 1 < this.rows.length && !this.pages.has(place + 1)) {
      const next = this.kernel.page(place + 1);
      next.catch(() => this.pages.delete(place + 1));
      this.pages.set(place + 1, next); // it is there when the reviewer is
    }
  }

  /** The judgement of the item that is shown, and the marks in the list. */
  private verdict(): void {
    const shown = this.current();
    this.pass.setAttribute("aria-pressed", String(shown.label === "pass"));
    this.fail.setAttribute("aria-pressed", String(shown.label === "fail"));
    for (const [index, made] of this.scores.entries()) {
      made.setAttribute("aria-pressed", String(shown.score === index + 1));
    }
    if (document.activeElement !== this.note) this.note.value = shown.note;
    const refused = this.refused.get(this.place);
    this.state.className = refused ? "ss er" : "ss";
    this.state.textContent = refused
      ? `Not kept: ${refused}`
      : this.unkept.has(this.place)
        ? "Keeping…"
        : this.rows[this.place]?.verdict
          ? "Kept"
          : "";
    for (const [place, item] of [...this.list.children].entries()) this.mark(item as HTMLElement, place);
  }

  private mark(item: HTMLElement, place: number): void {
    const verdict = this.rows[place]?.verdict;
    const label = verdict?.label ?? (verdict ? "noted" : "open");
    const sign = this.refused.has(place) ? "!" : this.unkept.has(place) ? "…" : verdict ? (SIGNS[label] ?? "•") : "○";
    const mark = item.children[0]!;
    if (mark.textContent !== sign) mark.textContent = sign;
    item.className = this.refused.has(place) ? "refused" : label;
    if (place === this.place) {
      item.setAttribute("aria-current", "true");
      // Not scrollIntoView: that would scroll the notebook too.
      const { offsetTop, offsetHeight } = item;
      const { scrollTop, clientHeight } = this.list;
      if (offsetTop < scrollTop) this.list.scrollTop = offsetTop;
      else if (offsetTop + offsetHeight > scrollTop + clientHeight) {
        this.list.scrollTop = offsetTop + offsetHeight - clientHeight;
      }
    } else item.removeAttribute("aria-current");
  }

  private progress(): void {
    const come = progress(this.rows);
    this.bar.max = Math.max(1, come.total);
    this.bar.value = come.done;
    const lost = this.refused.size ? ` · ${this.refused.size} not kept` : "";
    this.told.textContent = progressText(come) + lost;
  }

  // --- what is done

  private current(): Verdict {
    return this.unkept.get(this.place) ?? this.rows[this.place]?.verdict ?? EMPTY;
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === this.note) {
      if (event.key === "Escape") this.note.value = this.current().note;
      if (event.key !== "Escape" && (event.key !== "Enter" || event.shiftKey)) return;
      event.preventDefault();
      this.noted();
      this.root.focus({ preventScroll: true });
      return;
    }
    const action = this.rows.length ? actionOf(event.key) : null;
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    this.act(action);
  }

  private act(action: Action): void {
    const verdict = this.current();
    if (action.kind === "label") {
      this.judge({ ...verdict, label: action.label });
      this.go(nextOpen(this.rows, this.place));
    } else if (action.kind === "score") this.judge({ ...verdict, score: action.score });
    else if (action.kind === "note") this.note.focus();
    else if (action.kind === "open") this.go(nextOpen(this.rows, this.place + 1));
    else if (action.kind === "move") this.go(this.place + action.by);
    else {
      this.note.value = "";
      this.judge(EMPTY);
    }
  }

  private go(place: number): void {
    if (place >= 0 && place < this.rows.length && place !== this.place) this.show(place);
  }

  private noted(): void {
    const verdict = this.current();
    if (this.note.value.trim() !== verdict.note) this.judge({ ...verdict, note: this.note.value.trim() });
  }

  private judge(verdict: Verdict): void {
    const place = this.place;
    const row = this.rows[place]!;
    this.unkept.set(place, verdict);
    this.refused.delete(place);
    const before = row.verdict;
    row.verdict = verdict === EMPTY ? null : verdict;
    this.verdict();
    this.progress();
    this.kernel.judge(place, verdict).then(
      () => {
        if (this.unkept.get(place) === verdict) this.unkept.delete(place);
        this.verdict();
      },
      (error: Error) => {
        if (this.unkept.get(place) !== verdict) return; // judged anew in the meantime
        this.unkept.delete(place);
        this.refused.set(place, error.message);
        row.verdict = before;
        this.verdict();
        this.progress();
      },
    );
  }

  /** The kernel has kept a judgement, made here or elsewhere. */
  private judged(item: number, verdict: Verdict | null): void {
    const row = this.rows[item];
    if (!row || this.unkept.has(item)) return;
    row.verdict = verdict;
    this.refused.delete(item);
    this.verdict();
    this.progress();
  }
}
