// The timeline widget: what anywidget calls to show a model.

import type { Shared } from "./detail.ts";
import { KernelHost, type Model, PATIENCE } from "./model.ts";
import "./timeline.css";
import { type Options, Timeline } from "./timeline.ts";

const SHARED = ["lanes", "color", "view", "critical_path", "query", "selected_span", "selected_range"] as const;
const NO_ANSWER = "the rest needs the kernel: if that is gone, run the cell again";
const OPTIONS = ["lanes", "color", "view", "critical_path", "query", "hidden", "height"] as const;

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const host = new KernelHost(model);
  const options = Object.fromEntries(OPTIONS.map((name) => [name, model.get(name)])) as unknown as Options;
  const timeline = new Timeline(el, host, options);
  let late: ReturnType<typeof setTimeout> | undefined;
  const load = () => {
    clearTimeout(late);
    const data = model.get("data") as DataView | undefined;
    if (data?.byteLength) timeline.load(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const { bytes } = (model.get("payload") ?? { bytes: 0 }) as { bytes: number };
    const { isPart } = timeline;
    if (!bytes && !isPart) return;
    timeline.wait(isPart ? "the rest follows" : `Waiting for ${Math.ceil(bytes / 1e6)} MB of spans from the kernel …`);
    late = setTimeout(() => isPart && timeline.wait(NO_ANSWER), PATIENCE);
    void host.data().then(
      (all) => {
        clearTimeout(late);
        return isPart ? timeline.replace(all.bytes, all.moved) : timeline.load(all.bytes);
      },
      (error: Error) => {
        clearTimeout(late);
        timeline.wait(`the rest did not come: ${error.message}`);
      },
    );
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
    clearTimeout(late);
    model.off("change:data", later);
    model.off("change:payload", later);
    for (const end of changes) end();
    host.dispose();
    timeline.dispose();
  };
}

export default { render };
