// An exported page: the timeline over data that the page itself holds, compressed, in elements that are no scripts.

import type { Detail, Host } from "../timeline/detail.ts";
import "../timeline/timeline.css";
import { type Options, Timeline } from "../timeline/timeline.ts";

const PAYLOAD = "ops-timeline";
const DETAILS = "ops-details-";
const OPTIONS = "ops-options";

/** What an element holds: text of base64 of gzip. */
async function unpacked(id: string): Promise<Uint8Array | null> {
  const text = document.getElementById(id)?.textContent?.trim();
  if (!text) return null;
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Details stand in blocks of as many spans; a block is read when the first of them is asked for. */
class PageHost implements Host {
  readonly calls = { selection: "", selected: "" };
  private readonly blocks = new Map<number, Promise<Record<string, Detail>>>();

  constructor(private readonly blockSize: number) {}

  async detail(span: number): Promise<Detail> {
    const number = Math.floor(span / this.blockSize);
    let block = this.blocks.get(number);
    if (!block) {
      block = this.read(number);
      this.blocks.set(number, block);
    }
    const found = (await block)[String(span)];
    if (!found) throw new Error("This page was made without the details of this span.");
    return found;
  }

  changed(): void {}

  private async read(number: number): Promise<Record<string, Detail>> {
    const bytes = await unpacked(`${DETAILS}${number}`);
    return bytes ? (JSON.parse(new TextDecoder().decode(bytes)) as Record<string, Detail>) : {};
  }
}

async function start(): Promise<void> {
  const place = document.querySelector<HTMLElement>("#timeline");
  const bytes = await unpacked(PAYLOAD);
  if (!place || !bytes) return;
  const told = JSON.parse(document.getElementById(OPTIONS)?.textContent ?? "{}") as Options & { block: number };
  place.replaceChildren();
  new Timeline(place, new PageHost(told.block), told).load(bytes);
}

void start();
