// Turns samples that arrive in blocks into a playhead that glides.

const MARGIN_S = 0.025; // the jitter buffer: arrival jitter that is swallowed
const JUMP_S = 0.7; // farther behind than this: a pause or a late start, so jump
const MAX_BEND = 0.08; // a trace may be drawn at most this much faster or slower than real time
const PULL = 0.8; // share of the error corrected per second
const SMOOTH_S = 1.0; // averages over the saw-tooth of block arrivals

export class Playout {
  constructor(fs, blockRows) {
    this.fs = fs;
    this.start = blockRows + MARGIN_S * fs; // distance to keep just after a block came
    this.target = blockRows / 2 + MARGIN_S * fs; // mean distance to the newest sample
    this.reset();
  }

  reset() {
    this.head = NaN;
    this.lag = this.target;
    this.time = NaN;
  }

  /** Move on to `now` (ms) with samples up to `end`; returns the playhead in samples. */
  advance(now, end) {
    const dt = Math.min(0.25, Math.max(0, (now - this.time) / 1000 || 0));
    this.time = now;
    if (!(Math.abs(end - this.head) <= JUMP_S * this.fs + 2 * this.target)) {
      this.head = end - this.start;
      this.lag = this.target;
      return this.head;
    }
    const error = (this.lag - this.target) / this.fs;
    const bend = Math.max(-MAX_BEND, Math.min(MAX_BEND, PULL * error));
    this.head = Math.min(end - 1, this.head + dt * this.fs * (1 + bend));
    this.lag += (end - this.head - this.lag) * Math.min(1, dt / SMOOTH_S);
    return this.head;
  }

  /** Time a sample waits here before it is drawn, in ms: what the display adds to the latency. */
  get delayMs() {
    return 1000 * MARGIN_S + 1000 / 60;
  }
}
