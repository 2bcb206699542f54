// Text on the canvas: as much of it as fits, measured once.

export class Labels {
  private readonly widths = new Map<string, number>();
  private readonly fitted = new Map<string, string>();

  constructor(private readonly context: CanvasRenderingContext2D) {}

  width(text: string): number {
    const key = this.context.font + text;
    let width = this.widths.get(key);
    if (width === undefined) {
      if (this.widths.size > 20_000) this.widths.clear();
      width = this.context.measureText(text).width;
      this.widths.set(key, width);
    }
    return width;
  }

  /** The text, or its beginning with an ellipsis, or "" where not even that fits. */
  fit(text: string, room: number): string {
    if (room < 8) return "";
    if (this.width(text) <= room) return text;
    const key = `${Math.floor(room)} ${this.context.font}${text}`;
    let shown = this.fitted.get(key);
    if (shown === undefined) {
      if (this.fitted.size > 20_000) this.fitted.clear();
      shown = this.cut(text, room);
      this.fitted.set(key, shown);
    }
    return shown;
  }

  private cut(text: string, room: number): string {
    // By characters as people count them: half an emoji is none.
    const letters = [...text.slice(0, 300)];
    let low = 0;
    let high = letters.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.context.measureText(`${letters.slice(0, middle).join("")}…`).width <= room) low = middle;
      else high = middle - 1;
    }
    return low < 2 ? "" : `${letters.slice(0, low).join("")}…`;
  }
}
