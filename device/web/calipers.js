// Two lines to measure with on a frozen screen: milliseconds, beats per minute, millivolts.

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
    screen.addEventListener("pointerdown", (e) => this.#begin(e, screen));
    screen.addEventListener("pointermove", (e) => this.from && this.#to(this.#at(e, screen)));
    for (const name of ["pointerup", "pointercancel"])
      screen.addEventListener(name, () => {
        if (this.from) this.told(this.text.textContent);
        this.from = null;
      });
  }

  clear() {
    this.box.hidden = true;
    this.from = null;
  }

  #at(event, screen) {
    const { left, top } = screen.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #begin(event, screen) {
    if (!this.active || event.button !== 0 || !this.scope.scene || event.target.closest("label")) return;
    event.preventDefault();
    screen.setPointerCapture(event.pointerId);
    this.from = this.#at(event, screen);
    this.#to(this.from);
  }

  #to({ x, y }) {
    const { scene, options } = this.scope;
    const a = this.from;
    const box = { left: Math.min(a.x, x), top: Math.min(a.y, y), width: Math.abs(x - a.x), height: Math.abs(y - a.y) };
    for (const [name, value] of Object.entries(box)) this.box.style[name] = `${value}px`;
    const mm = scene.mm / scene.dpr;
    const seconds = box.width / (mm * options.speed);
    const mv = (a.y - y) / (mm * options.gain);
    const rate = seconds > 0.15 ? ` · ${Math.round(60 / seconds)}/min` : "";
    this.text.textContent = `${Math.round(1000 * seconds)} ms${rate} · ${mv < 0 ? "−" : "+"}${Math.abs(mv).toFixed(2)} mV`;
    this.box.hidden = false;
  }
}
