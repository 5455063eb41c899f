// What stands still: the grid, the calibration pulses, and the colours of the theme.

const PULSE_MM = 5; // 0.2 s at 25 mm/s
const LEAD_IN_MM = 1;

/** The theme's colours, from the style sheet. */
export function readTheme() {
  const css = getComputedStyle(document.documentElement);
  const color = (name) => css.getPropertyValue(`--${name}`).trim();
  const names = ["minor", "major", "pulse", "measured", "derived", "reconstructed", "band", "hatch", "warm"];
  return Object.fromEntries(names.map((name) => [name, color(name)]));
}

/** Draw the paper: boxes of 1 mm and 5 mm, and a pulse of 1 mV at the start of every row. */
export function drawPaper(canvas, scene, theme, gain) {
  const ink = canvas.getContext("2d");
  ink.clearRect(0, 0, canvas.width, canvas.height);
  if (scene.mm >= 3) lines(ink, scene.mm, theme.minor, 1);
  lines(ink, 5 * scene.mm, theme.major, Math.max(1, Math.round(scene.dpr * 0.8)));
  ink.strokeStyle = theme.pulse;
  ink.lineWidth = Math.max(1, scene.dpr * 1.2);
  for (const group of scene.groups) for (const cell of group.columns[0].cells) pulse(ink, scene, cell.base, gain);
}

function lines(ink, step, color, width) {
  const { width: w, height: h } = ink.canvas;
  ink.fillStyle = color;
  for (let x = 0; x < w; x += step) ink.fillRect(Math.round(x), 0, width, h);
  for (let y = 0; y < h; y += step) ink.fillRect(0, Math.round(y), w, width);
}

function pulse(ink, { mm, gutter }, base, gain) {
  const left = LEAD_IN_MM * mm;
  const width = Math.min(PULSE_MM * mm, gutter - 2 * left);
  ink.beginPath();
  ink.moveTo(0, base);
  ink.lineTo(left, base);
  ink.lineTo(left, base - gain * mm);
  ink.lineTo(left + width, base - gain * mm);
  ink.lineTo(left + width, base);
  ink.lineTo(gutter, base);
  ink.stroke();
}

/** Diagonal hatching that says "nothing to see here". */
export function makeHatch(ink, color, dpr) {
  const step = Math.round(7 * dpr);
  const tile = document.createElement("canvas");
  tile.width = tile.height = step;
  const pen = tile.getContext("2d");
  pen.strokeStyle = color;
  pen.lineWidth = Math.max(1, dpr);
  pen.beginPath();
  for (const shift of [-step, 0, step]) {
    pen.moveTo(shift, step);
    pen.lineTo(shift + step, 0);
  }
  pen.stroke();
  return ink.createPattern(tile, "repeat");
}
