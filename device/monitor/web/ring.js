// The last minutes of samples, in typed arrays that are allocated once.

import { LEADS, NO_VALUE, validBit } from "./wire.js";

const N = LEADS.length;

export class Ring {
  /** Room for `seconds` at `fs` samples per second, of the twelve leads and `extra` channels. */
  constructor(fs, extra = 0, seconds = 310) {
    this.fs = fs;
    this.strips = N + extra;
    this.size = Math.ceil(fs * seconds);
    this.uv = new Int16Array(this.strips * this.size); // lead after lead: a strip is drawn along time
    this.sigma = new Uint16Array(this.strips * this.size);
    this.flags = new Uint32Array(this.size); // 0: nothing valid, which is what a hole is
    this.provenance = new Uint32Array(this.size);
    this.clear(0);
  }

  clear(index) {
    this.first = index; // of the oldest sample held
    this.end = index; // one past the newest
    this.empty = true;
  }

  /** Take a frame; returns false where the time axis went back and everything older was forgotten. */
  push(frame) {
    const restarted = !this.empty && frame.index < this.end;
    if (this.empty || restarted || frame.index - this.end > this.size) this.clear(frame.index);
    this.empty = false;
    while (this.end < frame.index) this.#hole(frame.provenance);
    for (let i = 0; i < frame.n; i++) this.#take(frame, i);
    this.first = Math.max(this.first, this.end - this.size);
    return !restarted;
  }

  #hole(provenance) {
    const slot = this.end++ % this.size;
    this.flags[slot] = 0;
    this.provenance[slot] = provenance;
  }

  #take(frame, i) {
    const slot = this.end++ % this.size;
    this.flags[slot] = frame.flags[i];
    this.provenance[slot] = frame.provenance;
    for (let k = 0; k < N; k++) this.uv[k * this.size + slot] = frame.uv[i * N + k];
    const more = Math.min(frame.channels, this.strips - N);
    for (let k = 0; k < more; k++) {
      const uv = frame.extra[i * frame.channels + k];
      if (uv === NO_VALUE) continue;
      this.uv[(N + k) * this.size + slot] = uv;
      this.flags[slot] |= 1 << validBit(N + k);
    }
    const r = frame.guessed.length;
    for (let j = 0; j < r; j++) this.sigma[frame.guessed[j] * this.size + slot] = frame.sigma[i * r + j];
  }

  /** An independent copy, so that a frozen screen can be redrawn while samples go on coming. */
  copy() {
    const other = Object.create(Ring.prototype);
    Object.assign(other, this);
    for (const name of ["uv", "sigma", "flags", "provenance"]) other[name] = this[name].slice();
    return other;
  }
}
