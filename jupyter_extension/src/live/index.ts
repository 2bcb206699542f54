// A session while it goes on: its card, and below it the timeline, which takes in spans as they come. The kernel learns
// as soon as the model is there that a browser shows widgets; only then it puts this into the cell's output.

import type { Host } from "../timeline/detail.ts";
import { element } from "../timeline/dom.ts";
import type { Model } from "../timeline/model.ts";
import "../timeline/timeline.css";
import { Timeline } from "../timeline/timeline.ts";
import "./live.css";
import { Card } from "./card.ts";
import { Growing } from "./growing.ts";

const RESTS = 4; // times as long as it takes to show all spans anew, the page has for other things
const OFTEN = 100; // milliseconds
// When the kernel is told: a first message may wait for the cell's end, before the way around it is open.
const ASKED = [0, 200, 500, 1000, 2000, 4000, 8000]; // milliseconds

/** Details are with the kernel, which is busy. */
const HOST: Host = {
  calls: { selection: "", selected: "" },
  changed() {},
  detail: () => Promise.reject(new Error("Inputs, outputs and attributes are told when the cell is over.")),
};

// A module is loaded for each model, and its views share what has come.
const growing = new Growing();
const views = new Set<() => void>();

function initialize({ model }: { model: Model }): () => void {
  let answered = false;
  const came = (message: { type?: string; version?: number }, buffers?: DataView[]) => {
    const data = buffers?.[0];
    if (message?.type !== "spans" || message.version !== 1 || !data) return;
    answered = true;
    growing.append(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    for (const view of views) view();
  };
  model.on("msg:custom", came as (...told: never[]) => void);
  const asking = ASKED.map((after) => setTimeout(() => answered || model.send({ type: "ready", version: 1 }), after));
  return () => {
    asking.forEach(clearTimeout);
    model.off("msg:custom", came as (...told: never[]) => void);
  };
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const card = new Card();
  const place = element("div", { class: "live-timeline" });
  el.append(card.root, place);
  let timeline: Timeline | undefined;
  let waiting: ReturnType<typeof setTimeout> | undefined;
  let free = 0;
  const show = () => {
    waiting = undefined;
    if (growing.size === 0) return;
    const began = performance.now();
    const { spans, moved } = growing.spans();
    timeline ??= new Timeline(place, HOST, {
      ...{ lanes: "session", color: "kind", view: "time", critical_path: false, query: "", height: 0 },
      hidden: { kinds: [], statuses: [], names: [] },
    });
    timeline.show(spans, moved);
    free = performance.now() + Math.max(OFTEN, RESTS * (performance.now() - began));
  };
  const soon = () => {
    waiting ??= setTimeout(show, Math.max(0, free - performance.now()));
  };
  const told = () => card.show(String(model.get("html") ?? ""));
  model.on("change:html", told);
  views.add(soon);
  told();
  soon();
  return () => {
    model.off("change:html", told);
    views.delete(soon);
    clearTimeout(waiting);
    timeline?.dispose();
  };
}

export default { initialize, render };
