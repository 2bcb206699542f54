// Work that would take long in one go: it is done a piece at a time, and in between the page may do what it has to.

/** Work that stops after each piece, and gives what it made. */
export type Work<Made> = Generator<undefined, Made>;

/** Spans that are a piece of work. */
export const PIECE = 16_384;

const AT_ONCE = 16; // milliseconds

/** Does all of it now. */
export function done<Made>(work: Work<Made>): Made {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** Does some of it at a time; undefined where it is not wanted any more before it is done. */
export async function doneBetween<Made>(work: Work<Made>, wanted: () => boolean): Promise<Made | undefined> {
  for (;;) {
    await pause();
    if (!wanted()) return undefined;
    const until = performance.now() + AT_ONCE;
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (performance.now() < until);
  }
}

/** Lets the page go on: what waits there comes first. Timers would be held up by browsers that count them. */
function pause(): Promise<void> {
  return new Promise((resume) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resume();
    };
    port2.postMessage(null);
  });
}
