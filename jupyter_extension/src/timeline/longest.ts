// The longest span of any stretch of positions, without looking at each: blocks of sixteen, and blocks of these.

const FAN = 16;

export class Longest {
  private readonly levels: Int32Array[] = [];

  constructor(
    private readonly order: Int32Array,
    private readonly duration: Float64Array,
  ) {
    let below: Int32Array | undefined;
    let size = order.length;
    while (size > FAN) {
      const blocks = Math.ceil(size / FAN);
      const level = new Int32Array(blocks);
      for (let block = 0; block < blocks; block++) {
        const end = Math.min(size, (block + 1) * FAN);
        let best = below ? below[block * FAN]! : block * FAN;
        for (let at = block * FAN + 1; at < end; at++) best = this.longer(best, below ? below[at]! : at);
        level[block] = best;
      }
      this.levels.push(level);
      below = level;
      size = blocks;
    }
  }

  /** The position of the longest span from one position up to another, not itself within. */
  between(from: number, to: number): number {
    let best = from;
    let low = from;
    let high = to;
    let depth = -1;
    while (low < high) {
      const level = depth < 0 ? undefined : this.levels[depth]!;
      const above = this.levels[depth + 1];
      const whole = above !== undefined && high - low > 2 * FAN;
      const left = whole ? Math.ceil(low / FAN) * FAN : high;
      const right = whole ? Math.floor(high / FAN) * FAN : high;
      for (let at = low; at < left; at++) best = this.longer(best, level ? level[at]! : at);
      for (let at = right; at < high; at++) best = this.longer(best, level ? level[at]! : at);
      if (!whole) break;
      low = left / FAN;
      high = right / FAN;
      depth++;
    }
    return best;
  }

  private longer(one: number, other: number): number {
    return this.duration[this.order[other]!]! > this.duration[this.order[one]!]! ? other : one;
  }
}
