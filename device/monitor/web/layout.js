// Which lead stands where, and how many pixels a millimetre of paper has.

import { LEADS } from "./wire.js";

const COLUMN_GAP_MM = 2.5;
const SPILL = 0.15; // of its height a trace may reach into the row above or below; what is taller is cut

const column = (leads) => leads.map((lead) => [lead]);

// rowMm: height a row wants; minRowMm: below it the screen scrolls; columnMm: width a column wants.
export const LAYOUTS = {
  "3x4": {
    label: "3 × 4",
    rows: [
      ["I", "aVR", "V1", "V4"],
      ["II", "aVL", "V2", "V5"],
      ["III", "aVF", "V3", "V6"],
    ],
    rhythm: "II",
    rowMm: 29,
    columnMm: 44,
  },
  "6x2": {
    label: "6 × 2",
    rows: LEADS.slice(0, 6).map((lead, k) => [lead, LEADS[6 + k]]),
    rhythm: null,
    rowMm: 23,
    columnMm: 42,
  },
  "12x1": { label: "12 × 1", rows: column(LEADS), rhythm: null, rowMm: 15, columnMm: 60 },
};

// Provenance is told by colour, by width, by the tint of the interval and by the word beside the lead's name.
// No dashes: their gaps hide a q wave.
export const STYLES = {
  measured: { word: "", short: "", width: 2, band: false },
  derived: { word: "derived", short: "derived", width: 1.1, band: false },
  reconstructed: { word: "reconstructed", short: "recon.", width: 1.5, band: true },
};

export const SPEEDS = [25, 50]; // mm/s
export const GAINS = [5, 10, 20]; // mm/mV

/** Groups of rows that sweep together: measured channels above the twelve leads, the rhythm strip last. */
function groupsOf(name, channels) {
  const { rows, rhythm } = LAYOUTS[name];
  const width = rows[0].length;
  const above = [];
  // As many to a row as fill it: two channels above four columns have half the width each.
  for (let k = 0; k < channels.length; k += width) above.push([channels.slice(k, k + width)]);
  return [...above, rows, ...(rhythm ? [[[rhythm]]] : [])];
}

/** Whole device pixels where a millimetre is large enough to be drawn, else whole ones per 5 mm. */
function snap(mm) {
  return mm >= 3 ? Math.floor(mm) : Math.max(5, Math.floor(mm * 5)) / 5;
}

/**
 * Place every strip, in device pixels; a millimetre is as large as there is room for, or `fixedMm`.
 *
 * Returns {mm, gutter, groups}: a group is a set of rows that sweep together; each of its columns has
 * x, width and cells {lead, x, width, top, height, base, highest, lowest}, all sharing the group's top and height.
 */
export function place(name, width, height, dpr, fixedMm, channels = []) {
  const { rows, rowMm, columnMm } = LAYOUTS[name];
  const strips = [...LEADS, ...channels];
  const parts = groupsOf(name, channels);
  const all = parts.flat();
  const wish = Math.min(height / all.length / rowMm, width / rows[0].length / columnMm);
  const mm = fixedMm ?? snap(Math.max(1.5 * dpr, Math.min(8 * dpr, wish)));
  const gutter = Math.round((width > 700 * dpr ? 9 : 7) * mm);
  const rowHeight = Math.floor(height / all.length);
  const groups = [];
  let row = 0;
  for (const part of parts) {
    groups.push(makeGroup(part, row));
    row += part.length;
  }
  return { mm, gutter, groups, rowHeight };

  function makeGroup(groupRows, firstRow) {
    const columns = groupRows[0].length;
    const span = (width - gutter) / columns;
    const top = firstRow * rowHeight;
    const bottom = top + groupRows.length * rowHeight;
    const make = (_, c) => {
      const x = gutter + Math.round(c * span);
      return { x, width: Math.floor(span - (columns > 1 ? COLUMN_GAP_MM * mm : 0)), cells: groupRows.map((row, r) => cell(row[c], x, firstRow + r, top, bottom)) };
    };
    const list = Array.from({ length: columns }, make);
    return { top, height: groupRows.length * rowHeight, width: list[0].width, columns: list };
  }

  function cell(lead, x, row, first, last) {
    const top = row * rowHeight;
    const highest = Math.max(first, top - SPILL * rowHeight); // a group is swept by itself: nothing beyond it is drawn
    const lowest = Math.min(last, top + (1 + SPILL) * rowHeight);
    // R waves are taller than S waves are deep, and the pulse of 1 mV must fit at the standard gain.
    const down = Math.max(0.56 * rowHeight, Math.min(11 * mm, 0.75 * rowHeight));
    const base = Math.round((top + down) / mm) * mm;
    return { lead, k: strips.indexOf(lead), x, top, height: rowHeight, highest, lowest, base: Math.round(base) };
  }
}
