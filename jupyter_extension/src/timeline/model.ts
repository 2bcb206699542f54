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
  /** Of a payload: where this part of it stands, and how many bytes there are in all. */
  at?: number;
  bytes?: number;
  detail?: Detail;
  message?: string;
}

const PATIENCE = 20_000; // milliseconds

export class KernelHost implements Host {
  readonly calls = { selection: "widget.selection.to_pandas()", selected: "widget.selected" };
  private readonly waiting = new Map<number, { done: (detail: Detail) => void; failed: (error: Error) => void }>();
  private request = 0;
  private payload: { request: number; whole: Uint8Array; missing: number; done: (bytes: Uint8Array) => void } | null =
    null;
  private readonly answered = (answer: Answer, buffers?: DataView[]) => this.answer(answer, buffers);

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

  /** Asks for the payload; it comes when the kernel has the time. What was asked before is forgotten. */
  data(bytes: number): Promise<Uint8Array> {
    const request = ++this.request;
    return new Promise((done) => {
      this.payload = { request, whole: new Uint8Array(bytes), missing: bytes, done };
      this.model.send({ type: "data", version: 1, request });
    });
  }

  changed(state: Partial<Shared>): void {
    for (const [name, value] of Object.entries(state)) this.model.set(name, value);
    this.model.save_changes();
  }

  dispose(): void {
    this.model.off("msg:custom", this.answered);
    this.waiting.clear();
    this.payload = null;
  }

  private answer(answer: Answer, buffers?: DataView[]): void {
    const { payload } = this;
    if (payload && answer?.request === payload.request && answer.type === "data") {
      const part = buffers?.[0];
      if (!part || answer.bytes !== payload.whole.length) return;
      payload.whole.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), answer.at ?? 0);
      payload.missing -= part.byteLength;
      if (payload.missing > 0) return;
      this.payload = null;
      payload.done(payload.whole);
      return;
    }
    const asked = this.waiting.get(answer?.request);
    if (!asked) return;
    this.waiting.delete(answer.request);
    if (answer.type === "detail" && answer.detail) asked.done(answer.detail);
    else asked.failed(new Error(answer.message ?? "The kernel could not tell."));
  }
}
