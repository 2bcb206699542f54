// The longest span of any stretch of positions, without looking at each: blocks of sixteen, and blocks of these.

const FAN = 16;

interface Level {
  /** For each block the position of its longest span, and how long that took. */
  at: Int32Array;
  took: Float64Array;
}

export class Longest {
  private readonly levels: Level[] = [];

  /** `took`: how long the span at each position took. */
  constructor(private readonly took: Float64Array) {
    let below: Level | undefined;
    for (let size = took.length; size > FAN; size = Math.ceil(size / FAN)) {
      below = blocks(below, below?.took ?? took);
      this.levels.push(below);
    }
  }

  /** The position of the longest span from one position up to another, not itself within. */
  between(from: number, to: number): number {
    let best = from;
    let most = -1;
    const scan = (level: Level | undefined, first: number, last: number) => {
      const values = level?.took ?? this.took;
      for (let at = first; at < last; at++) {
        if (values[at]! <= most) continue;
        most = values[at]!;
        best = level ? level.at[at]! : at;
      }
    };
    let low = from;
    let high = to;
    for (let depth = 0; ; depth++) {
      const level = depth > 0 ? this.levels[depth - 1] : undefined;
      if (depth >= this.levels.length || high - low <= 2 * FAN) {
        scan(level, low, high);
        return best;
      }
      const left = Math.ceil(low / FAN) * FAN;
      const right = Math.floor(high / FAN) * FAN;
      scan(level, low, left);
      scan(level, right, high);
      low = left / FAN;
      high = right / FAN;
    }
  }
}

function blocks(below: Level | undefined, values: Float64Array): Level {
  const size = Math.ceil(values.length / FAN);
  const level: Level = { at: new Int32Array(size), took: new Float64Array(size) };
  for (let block = 0; block < size; block++) {
    let best = block * FAN;
    const end = Math.min(values.length, best + FAN);
    for (let at = best + 1; at < end; at++) if (values[at]! > values[best]!) best = at;
    level.at[block] = below ? below.at[best]! : best;
    level.took[block] = values[best]!;
  }
  return level;
}
