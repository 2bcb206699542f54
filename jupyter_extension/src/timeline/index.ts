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
    const { bytes } = (model.get("payload") ?? { bytes: 0 }) as { bytes: number };
    if (!bytes) return;
    timeline.wait(`Waiting for ${Math.ceil(bytes / 1e6)} MB of spans from the kernel …`);
    void host.data(bytes).then((whole) => timeline.load(whole));
  };
  const changes = SHARED.map((name) => {
    const told = () => timeline.set({ [name]: model.get(name) } as Partial<Shared>);
    model.on(`change:${name}`, told);
    return () => model.off(`change:${name}`, told);
  });
  // Where both change, one follows the other in the same turn.
  let loading = false;
  const later = () => {
    if (loading) return;
    loading = true;
    queueMicrotask(() => {
      loading = false;
      load();
    });
  };
  model.on("change:data", later);
  model.on("change:payload", later);
  load();
  return () => {
    model.off("change:data", later);
    model.off("change:payload", later);
    for (const end of changes) end();
    host.dispose();
    timeline.dispose();
  };
}

export default { render };
