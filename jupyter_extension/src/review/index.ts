// The review widget: what anywidget calls to show a model.

import type { Model } from "../timeline/model.ts";
import { Kernel } from "./kernel.ts";
import "./review.css";
import { Review } from "./review.ts";

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const kernel = new Kernel(model);
  const review = new Review(el, kernel);
  return () => {
    review.dispose();
    kernel.dispose();
  };
}

export default { render };
