// The sweep: every frame draws only what is new, and wipes a bar ahead of it.

import { place, STYLES } from "./layout.js";
import { drawPaper, makeHatch, readTheme } from "./paper.js";
import { KINDS, kindOf, LEADS, validBit, WARMUP } from "./wire.js";

const ERASE_MM = 4;
const ERASE_SHARE = 1 / 25; // of a strip, at most
const UV = 1000;

export class Scope {
  constructor(paper, traces) {
    this.paper = paper;
    this.ink = traces.getContext("2d");
    this.options = { layout: "3x4", mode: "sweep", speed: 25, gain: 10, band: true, channels: [] };
    this.drawnTo = []; // per group: absolute device pixel; nothing yet where absent
    this.columnsDrawn = 0;
    this.stillAt = null; // playhead of a picture without a sweep
  }

  /** Take samples from another ring (a new run, or a frozen copy). */
  use(ring) {
    this.ring = ring;
    this.drawnTo = [];
  }

  /** Fit the canvases to a size in CSS pixels, and place the strips. */
  fit(width, height, dpr, mm) {
    for (const canvas of [this.paper, this.ink.canvas]) {
      canvas.width = Math.round(width * dpr);
      canvas.height = Math.round(height * dpr);
    }
    const scene = place(this.options.layout, this.paper.width, this.paper.height, dpr, mm, this.options.channels);
    const weight = Math.max(dpr, Math.min(1.5 * dpr, scene.mm / 5)); // a wall screen is looked at from afar
    this.scene = { ...scene, dpr, weight };
    this.restyle();
  }

  /** Read the theme again and redraw the paper. The traces are the caller's to redraw. */
  restyle() {
    this.theme = readTheme();
    this.hatch = makeHatch(this.ink, this.theme.hatch, this.scene.dpr);
    drawPaper(this.paper, this.scene, this.theme, this.options.gain);
  }

  get pixelsPerSample() {
    return (this.scene.mm * this.options.speed) / this.ring.fs;
  }

  /** Draw all that the sweep would show with the playhead at `head`. */
  redraw(head) {
    this.ink.clearRect(0, 0, this.ink.canvas.width, this.ink.canvas.height);
    this.drawnTo = [];
    this.drawTo(head);
  }

  /** Draw from where the last call ended up to the playhead, in samples. */
  drawTo(head) {
    if (this.options.mode === "scroll") return this.still(head);
    this.stillAt = null;
    const scale = this.pixelsPerSample;
    this.scene.groups.forEach((group, g) => {
      const to = Math.floor(head * scale);
      const erase = this.#eraseWidth(group);
      const from = Math.max(this.drawnTo[g] ?? -Infinity, to - group.width + erase);
      if (to <= from) return;
      for (let a = from; a < to; ) {
        const lap = Math.floor(a / group.width) * group.width;
        const b = Math.min(to, lap + group.width);
        this.#sweep(group, a, b, lap);
        a = b;
      }
      this.#wipe(group, to, erase);
      this.drawnTo[g] = to;
      this.columnsDrawn += to - from;
    });
  }

  /** Draw strips that end with the playhead at their right edge. */
  still(head) {
    const scale = this.pixelsPerSample;
    this.ink.clearRect(0, 0, this.ink.canvas.width, this.ink.canvas.height);
    for (const group of this.scene.groups) {
      const to = Math.floor(head * scale);
      this.#sweep(group, to - group.width, to, to - group.width);
      this.columnsDrawn += group.width;
    }
    this.drawnTo = [];
    this.stillAt = head;
  }

  /** Provenance word at a playhead. */
  provenanceAt(head) {
    return this.ring.provenance[Math.max(this.ring.first, Math.floor(head)) % this.ring.size];
  }

  /** Per lead, a second kind that a still picture shows which ends at `head`; undefined where it is of one kind. */
  mixedUntil(head) {
    const last = this.provenanceAt(head);
    const mixed = new Array(LEADS.length);
    const width = Math.max(...this.scene.groups.map((group) => group.width));
    for (let i = Math.max(this.ring.first, Math.ceil(head - width / this.pixelsPerSample)); i < head; i++) {
      const slot = i % this.ring.size;
      const word = this.ring.provenance[slot];
      if (word === last) continue;
      for (const { cells, reach } of this.#reaches())
        for (const { k } of cells)
          if (i >= head - reach && kindOf(word, k) !== kindOf(last, k) && (this.ring.flags[slot] >>> validBit(k)) & 1) mixed[k] = KINDS[kindOf(word, k)];
    }
    return mixed;
  }

  #reaches() {
    return this.scene.groups.flatMap((group) => group.columns.map(({ cells }) => ({ cells, reach: group.width / this.pixelsPerSample })));
  }

  /** Device pixels of a sample in the first strip of a lead, for whoever wants to look at it. */
  locate(lead, index) {
    for (const group of this.scene.groups)
      for (const column of group.columns)
        for (const cell of column.cells)
          if (cell.lead === lead) return { ...cell, x: column.x + this.#offset(index, group) };
    return null;
  }

  #offset(index, group) {
    const at = index * this.pixelsPerSample;
    if (this.stillAt === null) return Math.floor(at % group.width);
    return Math.floor(at) - Math.floor(this.stillAt * this.pixelsPerSample) + group.width;
  }

  #eraseWidth(group) {
    return Math.round(Math.min(ERASE_MM * this.scene.mm, group.width * ERASE_SHARE));
  }

  #wipe(group, at, width) {
    const x = ((at % group.width) + group.width) % group.width;
    const first = Math.min(width, group.width - x);
    for (const column of group.columns) {
      this.ink.clearRect(column.x + x, group.top, first, group.height);
      if (width > first) this.ink.clearRect(column.x, group.top, width - first, group.height);
    }
  }

  /** Paint the device-pixel columns [a, b) of one lap. Whole pixels: neighbours leave no seam. */
  #sweep(group, a, b, lap) {
    const { ink, ring } = this;
    const scale = this.pixelsPerSample;
    const reach = 2 + Math.ceil((2 * this.scene.dpr) / scale); // strokes are wider than a point
    this.lap = lap;
    const i0 = Math.max(ring.first, Math.floor(a / scale) - reach);
    const i1 = Math.min(ring.end, Math.ceil(b / scale) + reach + 1);
    for (const column of group.columns) {
      ink.save();
      ink.beginPath();
      ink.rect(column.x + a - lap, group.top, b - a, group.height);
      ink.clip();
      ink.clearRect(column.x + a - lap, group.top, b - a, group.height);
      ink.translate(column.x, 0);
      for (const cell of column.cells) this.#strip(cell, i0, i1);
      ink.restore();
    }
  }

  /** One lead over the samples [i0, i1): runs of one kind each. */
  #strip(cell, i0, i1) {
    for (let i = i0; i < i1; ) {
      const key = this.#key(cell.k, i);
      let j = i + 1;
      while (j < i1 && this.#key(cell.k, j) === key) j++;
      if (key < 0) this.#blank(cell, i, j);
      else this.#run(cell, i, j < i1 && this.#key(cell.k, j) >= 0 ? j + 1 : j, KINDS[key & 3], (key & 4) !== 0);
      i = j;
    }
  }

  /** -1 where there is nothing to show, else the kind, plus 4 while the network settles. */
  #key(k, i) {
    const slot = i % this.ring.size;
    const flags = this.ring.flags[slot];
    if (!((flags >>> validBit(k)) & 1)) return -1;
    const kind = kindOf(this.ring.provenance[slot], k);
    return kind === 2 && flags & WARMUP ? kind + 4 : kind;
  }

  #x(n) {
    return n * this.pixelsPerSample - this.lap; // the canvas counts in single precision: keep it small
  }

  #blank(cell, i, j) {
    this.ink.fillStyle = this.hatch;
    const width = (j - i) * this.pixelsPerSample;
    this.ink.fillRect(this.#x(i - 0.5), cell.base - 0.32 * cell.height, width, 0.52 * cell.height);
  }

  #run(cell, i, j, kind, warm) {
    const { ink, theme, options } = this;
    const style = STYLES[kind];
    ink.globalAlpha = warm ? 0.5 : 1;
    if (warm) this.#warmBar(cell, i, j);
    if (style.band && options.band) this.#band(cell, i, j);
    ink.strokeStyle = ink.fillStyle = theme[kind];
    ink.lineJoin = "round";
    ink.lineWidth = style.width * this.scene.weight;
    this.#path(cell, i, j);
    ink.stroke();
    this.#cuts(cell, i, j);
    ink.globalAlpha = 1;
  }

  #y(cell, slot) {
    return cell.base - (this.ring.uv[cell.k * this.ring.size + slot] / UV) * this.options.gain * this.scene.mm;
  }

  /** The height between which a strip is drawn: what is taller is cut there, or rows would merge. */
  #within(cell, y) {
    return Math.max(cell.highest, Math.min(cell.lowest, y));
  }

  #path(cell, i, j) {
    this.ink.beginPath();
    for (let n = i; n < j; n++) this.ink.lineTo(this.#x(n), this.#within(cell, this.#y(cell, n % this.ring.size)));
  }

  /** A bar where the trace is cut. */
  #cuts(cell, i, j) {
    const thick = Math.max(3 * this.scene.dpr, 0.7 * this.scene.mm);
    const wide = 3 * this.pixelsPerSample; // a sample to each side: one high sample is seen too
    for (let n = i; n < j; n++) {
      const y = this.#y(cell, n % this.ring.size);
      const edge = this.#within(cell, y);
      if (y < edge) this.ink.fillRect(this.#x(n - 1.5), edge, wide, thick);
      else if (y > edge) this.ink.fillRect(this.#x(n - 1.5), edge - thick, wide, thick);
    }
  }

  #band(cell, i, j) {
    const { ink, ring } = this;
    const unit = (this.options.gain * this.scene.mm) / UV;
    const half = (n) => ring.sigma[cell.k * ring.size + (n % ring.size)] * unit;
    ink.beginPath();
    for (let n = i; n < j; n++) ink.lineTo(this.#x(n), this.#within(cell, this.#y(cell, n % ring.size) - half(n)));
    for (let n = j - 1; n >= i; n--) ink.lineTo(this.#x(n), this.#within(cell, this.#y(cell, n % ring.size) + half(n)));
    ink.fillStyle = this.theme.band;
    ink.fill();
  }

  #warmBar(cell, i, j) {
    const { ink, scene } = this;
    const height = Math.round(3 * scene.dpr);
    ink.fillStyle = this.theme.warm;
    const width = (j - i) * this.pixelsPerSample;
    ink.fillRect(this.#x(i - 0.5), cell.top + cell.height - 2 * height, width, height);
  }
}
