// The timeline widget: what anywidget calls to show a model.

import type { Shared } from "./detail.ts";
import { KernelHost, type Model } from "./model.ts";
import "./timeline.css";
import { type Options, Timeline } from "./timeline.ts";

const SHARED = ["lanes", "color", "view", "critical_path", "query", "selected_span", "selected_range"] as const;
const OPTIONS = ["lanes", "color", "view", "critical_path", "query", "hidden", "height"] as const;

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const host = new KernelHost(model);
  const options = Object.fromEntries(OPTIONS.map((name) => [name, model.get(name)])) as unknown as Options;
  const timeline = new Timeline(el, host, options);
  const load = () => {
    const data = model.get("data") as DataView | undefined;
    if (data?.byteLength) timeline.load(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  };
  const changes = SHARED.map((name) => {
    const told = () => timeline.set({ [name]: model.get(name) } as Partial<Shared>);
    model.on(`change:${name}`, told);
    return () => model.off(`change:${name}`, told);
  });
  model.on("change:data", load);
  load();
  return () => {
    model.off("change:data", load);
    for (const end of changes) end();
    host.dispose();
    timeline.dispose();
  };
}

export default { render };
