// Reads what device/monitor_wire.py writes; the layout is documented there.

export const LEADS = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
export const KINDS = ["measured", "derived", "reconstructed"];
export const ALL_VALID = 0x0fff;
export const WARMUP = 0x1000;
export const NO_VALUE = -32768; // of a channel, where there is none to show

const MAGIC = 0xe1;
const VERSION = 1;
const HEAD = 20;

/** Bit of strip k in a sample's flags: the twelve leads, the warm-up, then further channels. */
export function validBit(k) {
  return k < LEADS.length ? k : k + 1;
}

/** Number of the kind (index into KINDS) of lead k in a frame's provenance word. */
export function kindOf(word, k) {
  return k < LEADS.length ? (word >>> (2 * k)) & 3 : 0; // a further channel is measured
}

/** Decode a binary message; null where it is none of ours. Arrays are views, not copies. */
export function decodeFrame(buffer) {
  if (buffer.byteLength < HEAD) return null;
  const view = new DataView(buffer);
  if (view.getUint8(0) !== MAGIC || view.getUint8(1) !== VERSION) return null;
  const n = view.getUint16(2, true);
  const word = view.getUint32(16, true);
  const provenance = word & 0xffffff;
  const channels = (word >>> 24) & 15;
  const guessed = [];
  for (let k = 0; k < LEADS.length; k++) {
    const kind = kindOf(provenance, k);
    if (kind === 3) return null;
    if (kind === 2) guessed.push(k);
  }
  if (buffer.byteLength !== HEAD + 2 * n * (1 + LEADS.length + guessed.length + channels)) return null;
  const values = HEAD + 2 * n;
  const sigma = values + 2 * n * LEADS.length;
  return {
    n,
    sequence: view.getUint32(4, true),
    index: view.getFloat64(8, true),
    provenance,
    guessed,
    flags: new Uint16Array(buffer, HEAD, n),
    uv: new Int16Array(buffer, values, n * LEADS.length),
    sigma: new Uint16Array(buffer, sigma, n * guessed.length),
    channels,
    extra: new Int16Array(buffer, sigma + 2 * n * guessed.length, n * channels),
  };
}
