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

/** A payload that is on its way. */
interface Incoming {
  request: number;
  whole: Uint8Array | null;
  missing: number;
  moved: Int32Array | undefined;
  done: (payload: Payload) => void;
  failed: (error: Error) => void;
}

/** All spans; and where those of the first picture stand among them. */
export interface Payload {
  bytes: Uint8Array;
  moved: Int32Array | undefined;
}

export const PATIENCE = 20_000; // milliseconds

export class KernelHost implements Host {
  readonly calls = { selection: "widget.selection.to_pandas()", selected: "widget.selected" };
  private readonly waiting = new Map<number, { done: (detail: Detail) => void; failed: (error: Error) => void }>();
  // Views of one model hear the answers to each other: their numbers shall not be the same.
  private request = Math.floor(Math.random() * 2 ** 40);
  private payload: Incoming | null = null;
  private readonly answered = (answer: Answer, buffers?: DataView[]) => this.answer(answer, buffers);

  constructor(private readonly model: Model) {
    model.on("msg:custom", this.answered);
  }

  detail(span: number, first: boolean): Promise<Detail> {
    const request = ++this.request;
    return new Promise((done, failed) => {
      this.waiting.set(request, { done, failed });
      setTimeout(() => {
        if (this.waiting.delete(request)) failed(new Error("The kernel does not answer; it may be gone."));
      }, PATIENCE);
      this.model.send({ type: "detail", version: 1, request, span, first });
    });
  }

  /** Asks for the payload; it comes when the kernel has the time. What was asked before is forgotten. */
  data(): Promise<Payload> {
    const request = ++this.request;
    return new Promise((done, failed) => {
      this.payload = { request, whole: null, missing: 0, moved: undefined, done, failed };
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
    if (payload && answer?.request === payload.request) {
      this.arrived(payload, answer, buffers);
      return;
    }
    const asked = this.waiting.get(answer?.request);
    if (!asked) return;
    this.waiting.delete(answer.request);
    if (answer.type === "detail" && answer.detail) asked.done(answer.detail);
    else asked.failed(new Error(answer.message ?? "The kernel could not tell."));
  }

  private arrived(payload: Incoming, answer: Answer, buffers: DataView[] = []): void {
    if (answer.type !== "data") {
      this.payload = null;
      payload.failed(new Error(answer.message ?? "The kernel could not tell."));
      return;
    }
    const [part, moved] = buffers;
    if (!part || !answer.bytes) return;
    if (!payload.whole) {
      payload.whole = new Uint8Array(answer.bytes);
      payload.missing = answer.bytes;
    }
    // A copy, for the buffer may be part of a larger one, at any place.
    if (moved) payload.moved = new Int32Array(bytesOf(moved).slice().buffer);
    payload.whole.set(bytesOf(part), answer.at ?? 0);
    payload.missing -= part.byteLength;
    if (payload.missing > 0) return;
    this.payload = null;
    payload.done({ bytes: payload.whole, moved: payload.moved });
  }
}

function bytesOf(buffer: DataView): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
