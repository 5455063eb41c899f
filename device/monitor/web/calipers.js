// A box to measure with on a frozen screen: milliseconds, beats per minute, millivolts; by pointer or by keys.

const STEP_MM = 0.5;
const MOVES = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };

export class Calipers {
  /** On `screen`, an element; `scope` knows what a pixel is worth; `told` hears what is measured. */
  constructor(screen, scope, told) {
    this.scope = scope;
    this.told = told;
    this.box = document.createElement("div");
    this.box.className = "caliper";
    this.box.hidden = true;
    this.text = document.createElement("output");
    this.box.append(this.text);
    screen.append(this.box);
    this.active = false;
    this.held = false; // by the keyboard: the arrows are its own
    screen.addEventListener("pointerdown", (e) => this.#begin(e, screen));
    screen.addEventListener("pointermove", (e) => this.drawn && this.#span(this.from, this.#at(e, screen)));
    for (const name of ["pointerup", "pointercancel"])
      screen.addEventListener(name, () => {
        if (this.drawn) this.told(this.text.textContent);
        this.drawn = false;
      });
  }

  clear() {
    this.box.hidden = true;
    this.drawn = this.held = false;
  }

  /** Put a box of 400 ms and 0.5 mV over the first strip; the arrow keys move it, with shift its far corner. */
  place() {
    if (!this.active || !this.scope.scene) return;
    const { mm, dpr, groups } = this.scope.scene;
    const cell = groups[0].columns[0].cells[0];
    const from = { x: (cell.x + groups[0].width / 2) / dpr, y: cell.base / dpr };
    this.#span(from, { x: from.x + (10 * mm) / dpr, y: from.y - (5 * mm) / dpr });
    this.held = true;
    this.told(`Calipers: ${this.text.textContent}; arrows move, shift and arrows stretch, escape ends`);
  }

  /** Take an arrow key while the box is held; returns whether it was taken. */
  key(event) {
    const move = MOVES[event.key.toLowerCase()];
    if (!this.held || !move) return false;
    const step = (STEP_MM * this.scope.scene.mm) / this.scope.scene.dpr;
    const moved = ({ x, y }) => ({ x: x + move[0] * step, y: y + move[1] * step });
    this.#span(event.shiftKey ? this.from : moved(this.from), moved(this.to));
    this.told(this.text.textContent);
    return true;
  }

  #at(event, screen) {
    const { left, top } = screen.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #begin(event, screen) {
    if (!this.active || event.button !== 0 || !this.scope.scene || event.target.closest("label")) return;
    event.preventDefault();
    screen.setPointerCapture(event.pointerId);
    this.drawn = true;
    this.held = false;
    const at = this.#at(event, screen);
    this.#span(at, at);
  }

  #span(a, b) {
    [this.from, this.to] = [a, b];
    const { scene, options } = this.scope;
    const box = { left: Math.min(a.x, b.x), top: Math.min(a.y, b.y), width: Math.abs(b.x - a.x), height: Math.abs(b.y - a.y) };
    for (const [name, value] of Object.entries(box)) this.box.style[name] = `${value}px`;
    const mm = scene.mm / scene.dpr;
    const seconds = box.width / (mm * options.speed);
    const mv = (a.y - b.y) / (mm * options.gain);
    const rate = seconds > 0.15 ? ` · ${Math.round(60 / seconds)}/min` : "";
    this.text.textContent = `${Math.round(1000 * seconds)} ms${rate} · ${mv < 0 ? "−" : "+"}${Math.abs(mv).toFixed(2)} mV`;
    this.box.hidden = false;
  }
}
