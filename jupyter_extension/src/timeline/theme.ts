// Colours and fonts for the canvas, read off the style sheet, where light and dark and the host's theme are decided.

export interface Theme {
  background: string;
  ink: string;
  ink2: string;
  line: string;
  line2: string;
  fill: string;
  fill2: string;
  accent: string;
  warn: string;
  /** Laid over what is not selected. */
  shade: string;
  error: string;
  errorTint: string;
  quiet: string;
  kinds: string[];
  kindTints: string[];
  /** From cheap to dear. */
  heat: string[];
  font: (spec: string) => string;
  /** Hatches for what failed. */
  hatch: CanvasPattern | null;
}

export const KINDS = ["llm", "embedding", "retriever", "tool", "agent", "chain", "other"] as const;
const HEAT = [14, 32, 50, 66, 82, 100];

/** Reads the theme that is in force for an element. */
export function readTheme(root: HTMLElement): Theme {
  const probe = document.createElement("i");
  root.append(probe);
  const colour = (value: string) => {
    probe.style.color = value;
    return plain(getComputedStyle(probe).color);
  };
  const tint = (name: string) => colour(`color-mix(in srgb, var(${name}) 24%, var(--bg))`);
  const family = getComputedStyle(root).fontFamily;
  const theme: Theme = {
    background: colour("var(--bg)"),
    ink: colour("var(--ink)"),
    ink2: colour("var(--ink2)"),
    line: colour("var(--line)"),
    line2: colour("var(--line2)"),
    fill: colour("var(--fill)"),
    fill2: colour("var(--fill2)"),
    accent: colour("var(--accent)"),
    warn: colour("var(--warn)"),
    shade: colour("color-mix(in srgb, var(--bg) 70%, transparent)"),
    error: colour("var(--err)"),
    errorTint: tint("--err"),
    quiet: colour("color-mix(in srgb, var(--ink) 30%, var(--bg))"),
    kinds: KINDS.map((kind) => colour(`var(--${kind})`)),
    kindTints: KINDS.map((kind) => tint(`--${kind}`)),
    heat: HEAT.map((part) => colour(`color-mix(in srgb, var(--accent) ${part}%, var(--fill2))`)),
    font: (spec) => `${spec} ${family}`,
    hatch: hatched(colour("color-mix(in srgb, var(--bg) 30%, transparent)")),
  };
  probe.remove();
  return theme;
}

const pixel = globalThis.document?.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** A colour as the canvas reads it quickest: a mixed one is a long text, read again at every change of colour. */
function plain(colour: string): string {
  if (!pixel || !colour) return colour;
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = colour;
  pixel.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
  const hex = [red, green, blue, alpha].map((part) => part!.toString(16).padStart(2, "0")).join("");
  return `#${alpha === 255 ? hex.slice(0, 6) : hex}`;
}

function hatched(colour: string): CanvasPattern | null {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const context = tile.getContext("2d");
  if (!context) return null;
  context.strokeStyle = colour;
  context.lineWidth = 1.2;
  context.beginPath();
  for (const from of [-3, 0, 3]) {
    context.moveTo(from, 6 + from + 3);
    context.lineTo(from + 9, from);
  }
  context.stroke();
  return context.createPattern(tile, "repeat");
}

/** Calls back when the host or the system may have changed the theme; returns what ends that. */
export function watchTheme(changed: () => void): () => void {
  const query = matchMedia("(prefers-color-scheme: dark)");
  // The host names its theme on the body (JupyterLab, VS Code) or on the root (Colab); its style sheet may come later.
  let later: ReturnType<typeof setTimeout> | undefined;
  const told = () => {
    changed();
    clearTimeout(later);
    later = setTimeout(changed, 400);
  };
  const observer = new MutationObserver(told);
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, { attributeFilter: ["class", "theme", "data-jp-theme-light", "data-jp-theme-name"] });
  }
  query.addEventListener("change", told);
  return () => {
    observer.disconnect();
    clearTimeout(later);
    query.removeEventListener("change", told);
  };
}
