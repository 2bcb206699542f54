// A widget's model as anywidget gives it: its traits and its messages, with details asked of the kernel.

import type { Detail, Host, Shared } from "./detail.ts";

/** What is used of anywidget's model. */
export interface Model {
  get: (name: string) => unknown;
  set: (name: string, value: unknown) => void;
  save_changes: () => void;
  on: (event: string, callback: (...told: never[]) => void) => void;
  off: (event: string, callback: (...told: never[]) => void) => void;
  send: (message: unknown) => void;
}

interface Answer {
  type: string;
  request: number;
  detail?: Detail;
  message?: string;
}

const PATIENCE = 20_000; // milliseconds

export class KernelHost implements Host {
  readonly calls = { selection: "widget.selection.to_pandas()", selected: "widget.selected" };
  private readonly waiting = new Map<number, { done: (detail: Detail) => void; failed: (error: Error) => void }>();
  private request = 0;
  private readonly answered = (answer: Answer) => this.answer(answer);

  constructor(private readonly model: Model) {
    model.on("msg:custom", this.answered);
  }

  detail(span: number): Promise<Detail> {
    const request = ++this.request;
    return new Promise((done, failed) => {
      this.waiting.set(request, { done, failed });
      setTimeout(() => {
        if (this.waiting.delete(request)) failed(new Error("The kernel does not answer; it may be gone."));
      }, PATIENCE);
      this.model.send({ type: "detail", version: 1, request, span });
    });
  }

  changed(state: Partial<Shared>): void {
    for (const [name, value] of Object.entries(state)) this.model.set(name, value);
    this.model.save_changes();
  }

  dispose(): void {
    this.model.off("msg:custom", this.answered);
    this.waiting.clear();
  }

  private answer(answer: Answer): void {
    const asked = this.waiting.get(answer?.request);
    if (!asked) return;
    this.waiting.delete(answer.request);
    if (answer.type === "detail" && answer.detail) asked.done(answer.detail);
    else asked.failed(new Error(answer.message ?? "The kernel could not tell."));
  }
}
