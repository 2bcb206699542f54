// Spans that come while a session goes on: columns that grow, and of which rows are written anew when a span ends.
// They stand in the order in which they came; what shows them gets them by start.

import {
  COUNTS_COST,
  COUNTS_LLM,
  COUNTS_USAGE,
  inverse,
  leaves,
  marked,
  NO_TOKENS,
  type Spans,
  unpacked,
} from "../timeline/spans.ts";

interface Told {
  /** Whether all that came before is void. */
  anew: boolean;
  origin: string;
  /** Nanoseconds after the origin: so long open spans have run. */
  now: number;
  traces: number;
  kinds: string[];
  statuses: string[];
  /** Strings that were not told yet. */
  names: string[];
  sessions: string[];
  threads: string[];
  models: string[];
  events: string[];
}

const LISTS = ["names", "sessions", "threads", "models", "events"] as const;
const COLUMNS = {
  start: Float64Array,
  duration: Float64Array,
  parent: Int32Array,
  name: Uint32Array,
  session: Uint32Array,
  thread: Uint32Array,
  kind: Uint8Array,
  status: Uint8Array,
  model: Uint32Array,
  input: Uint32Array,
  output: Uint32Array,
  cost: Float64Array,
  first: Float64Array,
} as const;

type Columns = { [name in keyof typeof COLUMNS]: InstanceType<(typeof COLUMNS)[name]> };
const NAMES = Object.keys(COLUMNS) as (keyof Columns)[];

function columnsOf(room: number): Columns {
  return Object.fromEntries(NAMES.map((name) => [name, new COLUMNS[name](room)])) as unknown as Columns;
}

/** A span whose duration is not told has not ended. */
const isOpen = (duration: number) => Number.isNaN(duration);

export class Growing {
  private columns = columnsOf(256);
  private count = 0;
  private sorted = true;
  private told: Told | null = null;
  private readonly events = new Map<number, [time: number, name: number][]>();
  /** For each place in the columns where it stood among the spans that were shown last. */
  private shown: Int32Array | null = null;

  /** How many spans have come. */
  get size(): number {
    return this.count;
  }

  /** Takes in what has come; how many rows that are new or written anew. */
  append(bytes: Uint8Array): number {
    const { header, column } = unpacked<Told>(bytes);
    if (header.anew || !this.told) this.clear(header);
    const told = { ...header };
    for (const list of LISTS) told[list] = [...this.told![list], ...header[list]];
    this.told = told;
    const places = column<Uint32Array>("place");
    const came = Object.fromEntries(NAMES.map((name) => [name, column(name)])) as unknown as Columns;
    for (const [row, place] of places.entries()) {
      if (place >= this.columns.start.length) this.grow(place + 1);
      if (place >= this.count) {
        this.sorted &&= place === 0 || came.start[row]! >= this.columns.start[place - 1]!;
        this.count = place + 1;
      }
      for (const name of NAMES) this.columns[name][place] = came[name][row]!;
      this.events.delete(place);
    }
    this.note(column("event_place"), column("event_time"), column("event_name"));
    return places.length;
  }

  /** All spans as they are now, and where those that were shown before have moved to. */
  spans(): { spans: Spans; moved: Int32Array | undefined } {
    const told = this.told!;
    const order = this.order();
    const place = order ? inverse(order, this.count) : null;
    const moved = this.moved(place);
    const pick = <Name extends keyof Columns>(name: Name): Columns[Name] => {
      const column = this.columns[name];
      const made = column.slice(0, this.count);
      if (order) for (let at = 0; at < this.count; at++) made[at] = column[order[at]!]!;
      return made as Columns[Name];
    };
    const start = pick("start");
    const duration = pick("duration");
    const parent = pick("parent");
    const open: number[] = [];
    let end = told.now;
    for (let span = 0; span < this.count; span++) {
      if (isOpen(duration[span]!)) {
        open.push(span);
        duration[span] = Math.max(0, told.now - start[span]!);
      } else end = Math.max(end, start[span]! + duration[span]!);
      const above = parent[span]!;
      const now = above < 0 ? -1 : (place?.[above] ?? above);
      // A caller that starts later than what it called stands for none: clocks may be set back.
      parent[span] = now < span ? now : -1;
    }
    const kind = pick("kind");
    const calls = this.calls(pick, parent, kind, told);
    const spans: Spans = {
      ...{ count: this.count, of: this.count, traces: told.traces, origin: BigInt(told.origin), end },
      ...{ start, duration, parent, kind, status: pick("status") },
      ...{ name: pick("name"), session: pick("session"), thread: pick("thread") },
      ...{ kinds: told.kinds, statuses: told.statuses, names: told.names, sessions: told.sessions },
      ...{ threads: told.threads.some(Boolean) ? told.threads : [], models: told.models, eventNames: told.events },
      calls,
      events: this.eventsBy(order),
      call: inverse(calls.span, this.count),
      open: marked(Int32Array.from(open), this.count),
      leaf: leaves(parent),
      error: told.statuses.indexOf("error"),
    };
    return { spans, moved };
  }

  private clear(told: Told): void {
    this.count = 0;
    this.sorted = true;
    this.shown = null;
    this.events.clear();
    this.told = { ...told, names: [], sessions: [], threads: [], models: [], events: [] };
  }

  private grow(least: number): void {
    const wider = columnsOf(Math.max(least, this.columns.start.length * 2));
    for (const name of NAMES) wider[name].set(this.columns[name] as never);
    this.columns = wider;
  }

  private note(places: Int32Array, times: Float64Array, names: Uint32Array): void {
    for (const [row, place] of places.entries()) {
      const own = this.events.get(place);
      if (own) own.push([times[row]!, names[row]!]);
      else this.events.set(place, [[times[row]!, names[row]!]]);
    }
  }

  /** The places by start; null where that is how they stand. */
  private order(): Int32Array | null {
    if (this.sorted) return null;
    const { start } = this.columns;
    return Int32Array.from({ length: this.count }, (_, at) => at).sort(
      (one, other) => start[one]! - start[other]! || one - other,
    );
  }

  private moved(place: Int32Array | null): Int32Array | undefined {
    const before = this.shown;
    this.shown = place;
    if (!before && !place) return undefined;
    const size = before?.length ?? this.count;
    const moved = new Int32Array(size);
    for (let at = 0; at < size; at++) moved[before?.[at] ?? at] = place?.[at] ?? at;
    return moved;
  }

  /** The spans that say something of a model call; of those above each other the innermost counts. */
  private calls(
    pick: <Name extends keyof Columns>(name: Name) => Columns[Name],
    parent: Int32Array,
    kind: Uint8Array,
    told: Told,
  ): Spans["calls"] {
    const columns = { model: pick("model"), input: pick("input"), output: pick("output") };
    const dollars = { cost: pick("cost"), first: pick("first") };
    const llm = told.kinds.indexOf("llm");
    const below = new Uint8Array(this.count);
    const counts = new Uint8Array(this.count);
    const found: number[] = [];
    for (let span = this.count - 1; span >= 0; span--) {
      const usage = columns.input[span] !== NO_TOKENS || columns.output[span] !== NO_TOKENS;
      const costs = !Number.isNaN(dollars.cost[span]!);
      const own = (kind[span] === llm ? COUNTS_LLM : 0) | (usage ? COUNTS_USAGE : 0) | (costs ? COUNTS_COST : 0);
      counts[span] = own & ~below[span]!;
      const above = parent[span]!;
      if (above >= 0) below[above]! |= own | below[span]!;
      if (own || told.models[columns.model[span]!] || !Number.isNaN(dollars.first[span]!)) found.push(span);
    }
    const span = Int32Array.from(found.reverse());
    const tokens = (column: Uint32Array) => Uint32Array.from(span, (at) => column[at]!);
    const numbers = (column: Float64Array) => Float64Array.from(span, (at) => column[at]!);
    return {
      span,
      ...{ model: tokens(columns.model), input: tokens(columns.input), output: tokens(columns.output) },
      ...{ cost: numbers(dollars.cost), first: numbers(dollars.first) },
      counts: Uint8Array.from(span, (at) => counts[at]!),
    };
  }

  private eventsBy(order: Int32Array | null): Spans["events"] {
    const span: number[] = [];
    const time: number[] = [];
    const name: number[] = [];
    const places = order ? [...order] : [...this.events.keys()].sort((one, other) => one - other);
    places.forEach((place, at) => {
      for (const [when, what] of this.events.get(place) ?? []) {
        span.push(order ? at : place);
        time.push(when);
        name.push(what);
      }
    });
    return { span: Int32Array.from(span), time: Float64Array.from(time), name: Uint32Array.from(name) };
  }
}
