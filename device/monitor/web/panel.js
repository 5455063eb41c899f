// Everything around the traces: figures, lead labels, events, what a screen reader hears.

import { STYLES } from "./layout.js";
import { showChannels, showElectrodes } from "./torso.js";
import { KINDS, kindOf, LEADS } from "./wire.js";

const $ = (id) => document.getElementById(id);
const DASH = "––";
const whole = (x) => (x == null ? DASH : String(Math.round(x)));
const MAX_EVENTS = 40;
const LOW_BATTERY = 10; // %
const MUCH_LOST = 0.01;
const NO_CLOCK = 1985; // a board without a clock of its own begins in 1970

/** Write only what changed: an untouched node costs no layout. */
function say(id, text) {
  const node = $(id);
  if (node.textContent !== text) node.textContent = text;
}

export function announce(text) {
  say("live", text);
}

export function showHeader(h) {
  say("device", h.device || h.source);
  $("device").title = `${h.source}${h.firmware ? `, firmware ${h.firmware}` : ""}`;
  say("patient", h.patient);
  $("patient").hidden = !h.patient;
  showChannels($("torso"), h.channels ?? []);
  delete $("torso").dataset.state; // the electrodes lie above the channels
  showOff(h, null);
  say("worn", h.channels?.length ? h.electrodes.join(" ") : "electrodes");
  $("torso").parentElement.title = h.electrodes?.length ? `Electrodes on ${h.electrodes.join(", ")}` : "";
  say("model", h.model.name);
  showCalibration(h, h.calibration, true);
  say("interval", h.interval_level ? `${Math.round(100 * h.interval_level)} % interval` : "interval");
  say("algorithmic", `+ ${whole(h.algorithmic_ms)} ms algorithmic`);
  document.title = `${h.patient || h.device || "ECG"} · ecg-edge`;
}

/** Whose head the estimates come from: everybody's, this person's, or everybody's again where that does not fit. */
function showCalibration(h, calibration, fits) {
  const word = !calibration ? "" : fits ? " · calibrated" : " · calibration does not fit";
  say("precision", `${h.model.precision} · ${h.inputs.map((name) => name.split("[")[0]).join(" + ")} → 12${word}`);
  $("precision").classList.toggle("unfit", Boolean(calibration) && !fits);
  $("model").title = `sha256 ${h.model.sha256}${calibration ? `; ${calibration}` : ""}`;
}

export function showStatus(s, h, displayMs) {
  say("hr", whole(s.heart_rate_bpm));
  showCalibration(h, s.calibration, s.calibration_fits);
  showQuality(s.quality ?? {}, s.st_mv ?? {});
  const total = s.samples_in + s.samples_lost;
  showSignal(s.quality ?? {}, total ? s.samples_lost / total : 0);
  showIntervals(s.measurements ?? {});
  say("loss", total ? `${((100 * s.samples_lost) / total).toFixed(2)} %` : DASH);
  say("lost", `${s.samples_lost} sample${s.samples_lost === 1 ? "" : "s"}`);
  say("rate", s.rate_hz == null ? DASH : `${s.rate_hz.toFixed(1)} Hz`);
  say("native", `of ${Number(h.native_fs.toFixed(1))} Hz`);
  say("drift", s.drift_ppm == null ? "" : `${Math.abs(s.drift_ppm).toFixed(0)} ppm ${s.drift_ppm > 0 ? "slow" : "fast"}`);
  $("power").hidden = s.battery_percent == null;
  say("battery", `${s.battery_percent} %`);
  $("power").classList.toggle("alarm", s.battery_percent != null && s.battery_percent < LOW_BATTERY);
  say("latency", `${whole(s.latency_p50_ms)} / ${whole(s.latency_p99_ms)} ms`);
  showLatency(s, h, displayMs);
  showOff(h, s.connected === false ? null : s.lead_off ?? []);
  $("warnings").hidden = !s.warnings?.length;
  say("warnings", (s.warnings ?? []).join(" · "));
  $("loss").parentElement.classList.toggle("alarm", total > 0 && s.samples_lost / total > MUCH_LOST);
}

/** In a word whether the measured leads are fit to be read, and how much of the signal never arrived. */
function showSignal(quality, lost) {
  const leads = Object.entries(quality);
  const spoilt = leads.filter(([, { reason }]) => reason).map(([lead, { reason }]) => `${lead} ${reason}`);
  say("signal", spoilt.length ? spoilt.join(", ") : leads.length ? "good" : DASH);
  say("lost-share", lost ? `${(100 * lost).toFixed(lost > MUCH_LOST ? 0 : 2)} % lost` : "nothing lost");
  $("signal").parentElement.classList.toggle("alarm", spoilt.length > 0 || lost > MUCH_LOST);
}

/** Intervals of the last ten seconds, where they are measured; a dash is one that cannot be told. */
function showIntervals(found) {
  $("intervals").hidden = !("qrs" in found);
  if ($("intervals").hidden) return;
  const { pr, qrs, qtc_fridericia: qtc, qrs_axis: axis } = found;
  say("ms", `${[pr, qrs, qtc].map((figure) => whole(figure?.value)).join(" · ")} ms`);
  say("axis", `axis ${axis ? `${whole(axis.value)}°` : DASH} · QTc Fridericia`);
  const from = [pr, qrs, qtc].flatMap((figure) => figure?.leads ?? []);
  $("intervals").title = `From ${[...new Set(from)].join(", ") || "no lead"}; monitor band, not for diagnosis`;
}

/** The time of the newest signal on the screen, as the source counts it. */
export function showClock(h, index) {
  say("clock", timeOf(h, index)?.toLocaleTimeString([], { hour12: false }) ?? "");
}

/** When a row was taken; null where nobody knows. */
export function timeOf(h, index) {
  const at = new Date(Date.parse(h?.started) + (1000 * index) / h?.fs - (h?.delay_ms ?? 0));
  return at.getFullYear() >= NO_CLOCK ? at : null;
}

/** Which electrodes are off; null: not known, for the device is away. A board that cannot sense it is not "none". */
function showOff(h, off) {
  const sensed = h.sensed ?? h.electrodes ?? [];
  const word = off === null ? DASH : off.length ? off.join(", ") : sensed.length ? "none" : "not sensed";
  say("off", word);
  $("off").parentElement.classList.toggle("alarm", Boolean(off?.length));
  showElectrodes($("torso"), h.electrodes ?? [], off ?? [], off === null ? [] : sensed);
}

/** On each strip: what spoils a measured lead, and the ST level where it can be told. */
function showQuality(quality, st) {
  for (const node of $("labels").children) {
    const { lead } = node.dataset;
    const reason = quality[lead]?.reason ?? "";
    if ((node.dataset.quality ?? "") !== reason) {
      node.dataset.quality = reason;
      node.querySelector(".spoilt")?.remove();
      if (reason) node.append(part("span", reason, "spoilt"));
    }
    const level = st[lead];
    showLevel(node, lead in st, level);
    const words = level == null ? "ST not identifiable" : `ST ${level >= 0 ? "+" : "−"}${Math.abs(level).toFixed(2)} mV at J+60`;
    const said = `${node.getAttribute("aria-label").split("; ")[0]}${lead in st ? `; ${words}` : ""}`;
    if (node.title !== said) {
      node.title = said;
      node.setAttribute("aria-label", said);
    }
  }
}

/** The ST level beside a lead's name: a figure, or that there can be none. */
function showLevel(node, known, level) {
  const box = node.querySelector(".st");
  const none = node.dataset.narrow ? "ST unknown" : "ST not identifiable";
  const text = known && level != null ? `ST ${level >= 0 ? "+" : "−"}${Math.abs(level).toFixed(2)} mV` : known || box.dataset.weak ? none : "";
  if (box.textContent !== text) box.textContent = text;
}

/** The slider of a frozen screen. */
export function showBack(frozen, seconds, most) {
  $("look-back").hidden = !frozen;
  $("back").min = -most;
  $("back").value = -seconds;
  say("back-s", `${seconds ? "−" : ""}${seconds} s`);
}

/** What was said of the heart and the electrodes is no longer known. */
export function forgetFigures(h) {
  say("hr", DASH);
  say("signal", DASH);
  say("lost-share", "");
  $("signal").parentElement.classList.remove("alarm");
  showIntervals({});
  showQuality({}, {});
  if (h) showOff(h, null);
}

function showLatency(s, h, displayMs) {
  const terms = { ...h.latency_ms, host: s.latency_p50_ms ?? 0, display: displayMs };
  terms.algorithmic ??= h.algorithmic_ms;
  const sum = Object.values(terms).reduce((a, b) => a + b, 0);
  const parts = Object.entries(terms).map(([name, ms]) => `${name} ${ms.toFixed(0)} ms`);
  $("latency").title = `To the screen about ${sum.toFixed(0)} ms: ${parts.join(", ")}`;
  say("to-screen", `${sum.toFixed(0)} ms to screen`);
}

export function showState(state, text) {
  const pill = $("state");
  pill.dataset.state = state;
  say("state", text);
}

export function showBanner(text) {
  $("banner").hidden = !text;
  say("banner", text ?? "");
}

/** The browser was too slow and did not get some frames. */
export function showFramesLost(n) {
  $("slow").hidden = n === 0;
  say("slow", `${n} display frame${n === 1 ? "" : "s"} lost`);
}

/** List a note; short gaps that were bridged are counted on one line, or they would push out all else. */
export function addEvent(note) {
  const time = new Date(note.at).toLocaleTimeString([], { hour12: false });
  const list = $("events");
  const before = list.firstElementChild;
  if (note.kind === "held" && before?.dataset.kind === "held") {
    before.dataset.n = Number(before.dataset.n ?? 1) + 1;
    before.textContent = `${time}  ${before.dataset.n} short gaps bridged`;
    return;
  }
  const item = document.createElement("li");
  item.textContent = `${time}  ${note.text || note.kind}`;
  item.dataset.kind = note.kind;
  list.prepend(item);
  while (list.childElementCount > MAX_EVENTS) list.lastElementChild.remove();
  if (note.kind !== "held") say("last-event", `${time}  ${note.text || note.kind}`);
}

export function clearEvents() {
  $("events").replaceChildren();
  say("last-event", "none yet");
}

/** Name every strip, with where its values come from: `said.from` is what reconstruction has lost, if anything. */
export function showLabels(scene, provenance, stWeak, said) {
  const box = $("labels");
  const chestMeasured = LEADS.some((lead, k) => lead[0] === "V" && kindOf(provenance, k) === 0);
  const nodes = [];
  for (const group of scene.groups)
    for (const column of group.columns)
      for (const cell of column.cells) {
        const kind = KINDS[kindOf(provenance, cell.k)];
        const weak = kind === "reconstructed" && !chestMeasured && stWeak.includes(cell.lead);
        const guess = kind === "reconstructed" ? said : {};
        nodes.push(label(cell, column, scene, kind, weak, guess, said.mixed?.[cell.k]));
      }
  box.replaceChildren(...nodes);
}

function label(cell, column, scene, kind, weak, { calibration, from }, mixed) {
  const { dpr } = scene;
  const narrow = column.width / dpr < 230;
  const node = document.createElement("div");
  node.className = `label ${kind}`;
  node.style.left = `${column.x / dpr}px`;
  node.style.top = `${cell.top / dpr}px`;
  node.style.maxWidth = `${column.width / dpr - 4}px`;
  node.dataset.lead = cell.lead;
  node.append(part("b", cell.lead.split("[")[0])); // a fitted place is not for reading
  const { word, short } = STYLES[kind];
  const more = [
    [calibration && !from, ", calibrated", " cal."],
    [from, ` from ${from}`, ` ${from}`],
    [mixed, `${word ? "," : ""} in part ${mixed}`, `${word ? "," : ""} part ${mixed}`],
  ];
  const words = (narrow ? short : word) + more.map(([on, long, brief]) => (on ? (narrow ? brief : long) : "")).join("");
  if (words) node.append(part("span", words.trim(), "badge"));
  const st = part("span", weak ? (narrow ? "ST unknown" : "ST not identifiable") : "", "st");
  if (weak) st.dataset.weak = "1";
  if (narrow) node.dataset.narrow = "1";
  node.append(st);
  const source = `${kind}${from ? ` from ${from}` : ""}${mixed ? `, in part ${mixed}` : ""}`;
  const spoken = `${cell.lead} ${calibration && !from ? calibration : source}${weak ? ", ST not identifiable" : ""}`;
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", spoken);
  node.title = spoken;
  return node;
}

function part(tag, text, className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  return node;
}

/** Say which leads are settling. */
export function showWarmup(warming, provenance) {
  const box = $("labels");
  box.classList.toggle("warming", warming && LEADS.some((_, k) => kindOf(provenance, k) === 2));
}
