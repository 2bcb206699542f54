// What a span's panel shows beside its columns: asked of the kernel, or read out of an exported page.

/** As mirascope_ops/views/timeline_detail.py makes it; all strings are made visible and cut there. */
export interface Detail {
  /** Label and value. */
  facts: [string, string][];
  error: { title: string; traceback: string } | null;
  messages: { role: string; text: string; calls: string[] }[];
  /** Label and text: inputs and outputs, where there are no messages. */
  values: [string, string][];
  /** When, name and attributes. */
  events: [string, string, string][];
  annotations: string[];
  attributes: [string, string][];
  /** How many values were cut or left out. */
  cut: number;
}

/** Where details come from, and where what is done in the view is told. */
export interface Host {
  /** `first`: the span is one of the first picture, among which it is counted. */
  detail: (span: number, first: boolean) => Promise<Detail>;
  /** Tells what changed in the view. */
  changed: (state: Partial<Shared>) => void;
  /** What to type for the selection and for the span that is chosen; empty where there is no kernel. */
  calls: { selection: string; selected: string };
}

/** What a view shares with Python, under the names of the widget's traits. */
export interface Shared {
  lanes: string;
  color: string;
  view: string;
  critical_path: boolean;
  query: string;
  selected_span: number;
  selected_range: number[];
  hidden: { kinds: string[]; statuses: string[]; names: string[] };
}
