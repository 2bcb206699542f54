// What a key asks for, while no text is being written.

export type Action =
  | { kind: "label"; label: "pass" | "fail" }
  | { kind: "score"; score: number }
  | { kind: "move"; by: number }
  | { kind: "open" }
  | { kind: "note" }
  | { kind: "withdraw" };

const MOVES = new Map([
  ["j", 1],
  ["ArrowDown", 1],
  ["ArrowRight", 1],
  ["k", -1],
  ["ArrowUp", -1],
  ["ArrowLeft", -1],
]);

/** The action of a key, or null for a key that is none of ours. */
export function actionOf(key: string): Action | null {
  if (key === "p") return { kind: "label", label: "pass" };
  if (key === "f") return { kind: "label", label: "fail" };
  if (key === "n") return { kind: "note" };
  if (key === "u") return { kind: "withdraw" };
  if (key === "o") return { kind: "open" };
  const by = MOVES.get(key);
  if (by !== undefined) return { kind: "move", by };
  return /^[1-5]$/.test(key) ? { kind: "score", score: Number(key) } : null;
}
