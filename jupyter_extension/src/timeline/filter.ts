// Filtering: kinds, statuses and names that are not shown.

import type { Spans } from "./spans.ts";

export interface Hidden {
  kinds: string[];
  statuses: string[];
  names: string[];
}

/** Whether anything is hidden. */
export function hides(hidden: Hidden): boolean {
  return hidden.kinds.length + hidden.statuses.length + hidden.names.length > 0;
}

/** For each span 1 where it is shown; undefined where all are. */
export function shown(spans: Spans, hidden: Hidden): Uint8Array | undefined {
  if (!hides(hidden)) return undefined;
  const kinds = kept(spans.kinds, hidden.kinds);
  const statuses = kept(spans.statuses, hidden.statuses);
  const names = kept(spans.names, hidden.names);
  const mask = new Uint8Array(spans.count);
  for (let span = 0; span < spans.count; span++) {
    mask[span] = kinds[spans.kind[span]!]! & statuses[spans.status[span]!]! & names[spans.name[span]!]!;
  }
  return mask;
}

/** How many spans each of a column's words has. */
export function tally(column: ArrayLike<number>, words: number): Uint32Array {
  const found = new Uint32Array(words);
  for (let span = 0; span < column.length; span++) found[column[span]!]!++;
  return found;
}

function kept(words: readonly string[], hidden: readonly string[]): Uint8Array {
  const without = new Set(hidden);
  return Uint8Array.from(words, (word) => (without.has(word) ? 0 : 1));
}
