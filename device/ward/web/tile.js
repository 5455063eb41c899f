// One bed: its figures in words, its measured lead on a sweep.

const SECONDS = 4;
const MV = 3; // from top to bottom
const AHEAD = 0.04; // of the width, wiped before the pen
const BLANK = -32768;
const STATES = { starting: "Starting", lost: "Device lost", old: "Figures are old", restarting: "Restarting", ended: "Ended" };

function part(parent, tag, name) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return parent.appendChild(made);
}

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export class Tile {
  constructor(bed, onLimits) {
    this.number = bed.n;
    this.bed = bed;
    this.drawn = 0; // samples
    this.visible = true;
    this.pen = { index: -1, x: 0, y: null, fs: 0 };
    this.node = document.createElement("li");
    this.node.className = "tile";
    this.link = part(this.node, "a");
    this.link.href = `${encodeURIComponent(bed.name)}/`;
    const name = part(this.link, "span", "name");
    name.append(bed.name);
    this.patient = part(name, "span", "patient");
    this.hr = part(this.link, "span", "hr");
    this.hr.append("––", part(this.hr, "small"));
    this.trouble = part(this.link, "span", "trouble");
    const strip = part(this.link, "span", "strip");
    this.canvas = part(strip, "canvas");
    this.lead = part(strip, "span", "lead");
    this.none = part(strip, "span", "none");
    this.facts = part(this.link, "span", "facts");
    this.event = part(this.link, "span", "event");
    this.button = part(this.node, "button");
    this.button.type = "button";
    this.button.textContent = "±";
    this.button.title = this.button.ariaLabel = `Limits of ${bed.name}`;
    this.button.addEventListener("click", () => onLimits(this.bed));
    this.ink = this.canvas.getContext("2d");
    this.colour = "#fff";
  }

  /** Show what is true now. */
  show(bed, may) {
    this.bed = bed;
    const live = bed.state === "running";
    this.node.dataset.level = bed.level;
    this.node.dataset.state = bed.state;
    set(this.patient, bed.patient);
    set(this.hr.firstChild, bed.hr === null ? "––" : String(Math.round(bed.hr)));
    set(this.hr.lastChild, bed.limits.words ? `/min  ${bed.limits.words}` : "/min");
    set(this.trouble, bed.trouble.join(" · "));
    this.none.hidden = live;
    this.lead.hidden = !live;
    set(this.none, live ? "" : STATES[bed.state] ?? bed.state);
    if (!live) this.wipe();
    this.showFacts(bed);
    set(this.event, bed.event ? `${clock(bed.event.at)} ${bed.event.text}` : "");
    this.event.title = bed.event?.text ?? "";
    this.button.hidden = !may;
    const rate = bed.hr === null ? "no heart rate" : `heart rate ${Math.round(bed.hr)}`;
    const words = [bed.name, rate, ...bed.trouble].join(", ");
    if (this.link.ariaLabel !== words) this.link.ariaLabel = words;
  }

  showFacts(bed) {
    const facts = [];
    if (bed.off.length) facts.push([`off ${bed.off.join(" ")}`, true]);
    if (bed.quality) facts.push([`${bed.quality.lead} ${Math.round(100 * bed.quality.index)} %`, bed.quality.index < 0.5, "signal quality of the worst measured lead"]);
    if (bed.loss !== null) facts.push([`lost ${bed.loss.toFixed(bed.loss > 0 && bed.loss < 10 ? 1 : 0)} %`, bed.loss >= 1, "samples lost in the last minute"]);
    if (bed.battery !== null) facts.push([`battery ${bed.battery} %`, bed.battery < 15]);
    const key = JSON.stringify(facts);
    if (key === this.factsKey) return;
    this.factsKey = key;
    this.facts.replaceChildren(
      ...facts.map(([text, bad, title]) => {
        const made = document.createElement("span");
        made.textContent = text;
        if (bad) made.className = "bad";
        if (title) made.title = title;
        return made;
      }),
    );
  }

  /** State nothing: nobody knows what is true. */
  forget() {
    const unknown = { hr: null, off: [], quality: null, loss: null, battery: null, state: "lost", level: 0, trouble: ["no connection"] };
    this.show({ ...this.bed, ...unknown }, false);
    set(this.none, "No connection");
  }

  fit(ratio) {
    const { clientWidth, clientHeight } = this.canvas;
    const [w, h] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (w && h && (this.canvas.width !== w || this.canvas.height !== h)) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.pen.index = -1;
    }
    this.colour = getComputedStyle(this.node).getPropertyValue("--measured");
  }

  wipe() {
    if (this.pen.index < 0) return;
    this.ink.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.pen.index = -1;
    this.pen.y = null;
  }

  /** Draw samples of the measured lead; where none was measured nothing is drawn. */
  draw(lead, index, fs, values) {
    if (!this.visible || this.node.dataset.state !== "running") return;
    set(this.lead, lead);
    const { width, height } = this.canvas;
    const step = width / (SECONDS * fs);
    const { ink, pen } = this;
    if (index !== pen.index) {
      pen.y = null; // lost samples are a hole, as wide as they were long
      const missing = pen.index < 0 ? 0 : (index - pen.index) >>> 0;
      if (missing > SECONDS * fs) this.wipe();
      else this.clear(missing * step);
      pen.x = (pen.x + Math.min(missing, SECONDS * fs) * step) % width;
    }
    this.clear(values.length * step);
    ink.strokeStyle = this.colour;
    ink.lineWidth = Math.max(1, height / 40);
    ink.lineJoin = "round";
    ink.beginPath();
    for (const v of values) {
      if (pen.x >= width) {
        pen.x -= width;
        pen.y = null;
      }
      const y = v === BLANK ? null : height * (0.5 - v / 1000 / MV);
      if (y !== null && pen.y !== null) {
        ink.moveTo(pen.x, pen.y);
        ink.lineTo(pen.x + step, y);
      }
      pen.y = y;
      pen.x += step;
    }
    ink.stroke();
    this.drawn += values.length;
    pen.index = (index + values.length) >>> 0;
  }

  /** Wipe so much from the pen on, and a little ahead. */
  clear(length) {
    const { width, height } = this.canvas;
    const from = this.pen.x + 1;
    const to = this.pen.x + length + AHEAD * width;
    this.ink.clearRect(from, 0, to - from, height);
    if (to > width) this.ink.clearRect(0, 0, to - width, height);
  }
}

function clock(at) {
  const when = new Date(at);
  return Number.isNaN(when.getTime()) ? "" : when.toTimeString().slice(0, 5);
}
