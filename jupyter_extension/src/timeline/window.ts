// The window of time that is shown: it pans, zooms and never leaves what there is.

const MARGIN = 0.01;
const NARROWEST = 10; // nanoseconds

export class TimeWindow {
  from = 0;
  to = 1;
  private end = 1;

  /** Sets what there is, and shows all of it. */
  reset(end: number): void {
    this.extend(end);
    this.fit();
  }

  /** Sets what there is, and leaves what is shown; shows all of it where all of it was shown. */
  extend(end: number): void {
    const all = this.showsAll;
    this.end = Math.max(end, 1);
    if (all) this.fit();
  }

  get width(): number {
    return this.to - this.from;
  }

  get first(): number {
    return -this.end * MARGIN;
  }

  get last(): number {
    return this.end * (1 + MARGIN);
  }

  get showsAll(): boolean {
    return this.from <= this.first * 0.999 && this.to >= this.last * 0.999;
  }

  fit(): void {
    this.from = this.first;
    this.to = this.last;
  }

  /** Shows a stretch of time, with some room around it. */
  show(from: number, to: number, room = 0.1): void {
    const width = Math.max(to - from, NARROWEST);
    this.set(from - width * room, to + width * room);
  }

  set(from: number, to: number): void {
    this.from = from;
    this.to = Math.max(to, from + NARROWEST);
    this.clamp();
  }

  /** Makes the window `factor` times as wide; `at` (0 to 1 of its width) stays where it is. */
  zoom(factor: number, at: number): void {
    const fixed = this.from + at * this.width;
    const width = Math.min(this.last - this.first, Math.max(NARROWEST, this.width * factor));
    this.from = fixed - at * width;
    this.to = this.from + width;
    this.clamp();
  }

  pan(time: number): void {
    this.from += time;
    this.to += time;
    this.clamp();
  }

  private clamp(): void {
    const width = Math.min(this.width, this.last - this.first);
    const from = Math.min(Math.max(this.from, this.first), this.last - width);
    this.from = from;
    this.to = from + width;
  }
}
