// The strip on the screen as a page: A4 across, 3 × 4 and a rhythm strip, at true scale, provenance in words.

import { STYLES } from "./layout.js";
import { Scope } from "./scope.js";
import { KINDS, kindOf } from "./wire.js";

const PX_PER_MM = 8;
const DPR = PX_PER_MM / (96 / 25.4);
const [WIDTH, HEIGHT] = [297 * PX_PER_MM, 210 * PX_PER_MM];
const [LEFT, TOP, BOTTOM] = [5 * PX_PER_MM, 20 * PX_PER_MM, 14 * PX_PER_MM];
const LETTER = /-(US|CA|MX|CL|CO|PH|VE)$/i; // where paper is not A4
const WARNING = "Reconstructed leads are estimates, not for diagnosis";

/**
 * Draw the page that ends with sample `head` of the scope's ring.
 *
 * `info` has device, patient, model, calibration, from (the leads reconstructed from, where some are lost), when (a date, or null)
 * and notes (text).
 */
export function drawPage(source, head, info) {
  const root = document.documentElement;
  const theme = root.dataset.theme;
  root.dataset.theme = "light"; // paper is white
  try {
    const scope = new Scope(document.createElement("canvas"), document.createElement("canvas"));
    Object.assign(scope.options, source.options, { layout: "3x4", mode: "scroll" });
    scope.use(source.ring);
    scope.fit((WIDTH - 2 * LEFT) / DPR, (HEIGHT - TOP - BOTTOM) / DPR, DPR, PX_PER_MM);
    scope.still(head);
    return compose(scope, head, info);
  } finally {
    root.dataset.theme = theme;
  }
}

function compose(scope, head, info) {
  const [provenance, mixed] = [scope.provenanceAt(head), scope.mixedUntil(head)];
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const ink = canvas.getContext("2d");
  ink.fillStyle = "#fff";
  ink.fillRect(0, 0, WIDTH, HEIGHT);
  ink.drawImage(scope.paper, LEFT, TOP);
  ink.drawImage(scope.ink.canvas, LEFT, TOP);
  write(ink, [info.patient, info.device, info.when ? info.when.toLocaleString() : "time not known"].filter(Boolean).join("   "), LEFT, 8, 4.2, "#111", "600");
  write(ink, [info.model, info.calibration, info.notes].filter(Boolean).join("   "), LEFT, 14, 2.6, "#444");
  for (const group of scope.scene.groups)
    for (const column of group.columns)
      for (const cell of column.cells) {
        const kind = KINDS[kindOf(provenance, cell.k)];
        const words = [STYLES[kind].word && `${STYLES[kind].word}${kind === "reconstructed" && info.from ? ` from ${info.from}` : ""}`, mixed[cell.k] && `in part ${mixed[cell.k]}`].filter(Boolean).join(", ");
        const x = LEFT + column.x + PX_PER_MM;
        const y = (TOP + cell.top) / PX_PER_MM + 5;
        const wide = write(ink, cell.lead, x, y, 3.6, scope.theme[kind], "600");
        write(ink, words, x + wide + 1.5 * PX_PER_MM, y, 2.6, scope.theme[kind], "400", column.width - wide - 3 * PX_PER_MM);
      }
  const { speed, gain } = scope.options;
  write(ink, WARNING, LEFT, 204, 4.2, scope.theme.reconstructed, "600");
  write(ink, `${speed} mm/s   ${gain} mm/mV   monitor band 0.5–40 Hz`, LEFT + 130 * PX_PER_MM, 204, 3.2, "#444");
  return canvas;
}

/** Text with its base line `y` mm from the top, `size` mm high, in `room` pixels; returns its width in pixels. */
function write(ink, text, x, y, size, color, weight = "400", room = WIDTH - LEFT - x) {
  ink.fillStyle = color;
  ink.font = `${weight} ${size * PX_PER_MM}px system-ui, sans-serif`;
  const fitting = atWords(text, (part) => ink.measureText(part).width <= room);
  ink.fillText(fitting, x, y * PX_PER_MM);
  return ink.measureText(fitting).width;
}

/** What fits of a text, whole words and an ellipsis. */
function atWords(text, fits) {
  if (fits(text)) return text;
  const words = text.split(/(?<=\s)/);
  while (words.length && !fits(`${words.join("").trimEnd()}…`)) words.pop();
  return words.length ? `${words.join("").trimEnd()}…` : "";
}

/** The page as a Blob with a picture. */
export function pictureOf(canvas) {
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** The page as a Blob with a PDF, made by the monitor of what it holds; rejects with the monitor's words. */
export async function printed(end, { layout, speed, gain }) {
  const paper = LETTER.test(navigator.language) ? "letter" : "a4";
  const answer = await fetch(`page.pdf?${new URLSearchParams({ end, layout, speed, gain, paper })}`, { cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.blob();
}

/** Hand a file to the browser's downloads. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
