// What the review asks of the kernel: pages to read and judgements to keep; nothing counts as kept before it says so.

import type { Model } from "../timeline/model.ts";

export interface Verdict {
  label: string | null;
  score: number | null;
  note: string;
}

/** A row of the list. */
export interface Row {
  name: string;
  about: string;
  status: string;
  verdict: Verdict | null;
}

/** An item in full, as mirascope_ops/views/review.py makes it. */
export interface Page {
  facts: string[];
  error: string;
  /** So many of the messages were there before the question that is judged. */
  earlier: number;
  messages: { role: string; text: string; calls: string[] }[];
  values: [string, string][];
  code: string;
  cut: number;
}

interface Answer {
  type: string;
  request?: number;
  page?: Page;
  item?: number;
  verdict?: Verdict | null;
  message?: string;
}

const PATIENCE = 10_000; // milliseconds

export class Kernel {
  /** Told of every judgement that the kernel has kept, whoever made it. */
  judged: (item: number, verdict: Verdict | null) => void = () => {};
  private readonly waiting = new Map<number, { done: (answer: Answer) => void; failed: (error: Error) => void }>();
  private request = 0;
  private readonly told = (answer: Answer) => this.receive(answer);

  constructor(private readonly model: Model) {
    model.on("msg:custom", this.told);
  }

  rows(): Row[] {
    return structuredClone(this.model.get("rows")) as Row[];
  }

  cursor(): number {
    return this.model.get("cursor") as number;
  }

  moved(place: number): void {
    this.model.set("cursor", place);
    this.model.save_changes();
  }

  async page(item: number): Promise<Page> {
    const answer = await this.ask({ type: "page", item });
    if (!answer.page) throw new Error("The kernel could not tell.");
    return answer.page;
  }

  async judge(item: number, verdict: Verdict): Promise<Verdict | null> {
    const answer = await this.ask({ type: "judge", item, ...verdict });
    return answer.verdict ?? null;
  }

  dispose(): void {
    this.model.off("msg:custom", this.told);
    this.waiting.clear();
  }

  private ask(what: object): Promise<Answer> {
    const request = ++this.request;
    return new Promise((done, failed) => {
      this.waiting.set(request, { done, failed });
      setTimeout(() => {
        if (this.waiting.delete(request)) failed(new Error("the kernel does not answer; run the cell again"));
      }, PATIENCE);
      this.model.send({ version: 1, request, ...what });
    });
  }

  private receive(answer: Answer): void {
    if (answer?.type === "verdict" && answer.item !== undefined) {
      const rows = this.rows();
      const row = rows[answer.item];
      if (row) row.verdict = answer.verdict ?? null;
      this.model.set("rows", rows); // so that a saved notebook has it; the kernel knows
      this.judged(answer.item, answer.verdict ?? null);
      return;
    }
    const asked = answer?.request === undefined ? undefined : this.waiting.get(answer.request);
    if (!asked) return;
    this.waiting.delete(answer.request as number);
    if (answer.type === "error") asked.failed(new Error(answer.message ?? "the kernel could not do it"));
    else asked.done(answer);
  }
}
