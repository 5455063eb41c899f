// The page: one socket in, one playhead, one scope.

import { Calipers } from "./calipers.js";
import { GAINS, LAYOUTS, SPEEDS, STYLES } from "./layout.js";
import { download, drawPage, pictureOf, printed } from "./page.js";
import * as panel from "./panel.js";
import { Playout } from "./playout.js";
import { Ring } from "./ring.js";
import { Scope } from "./scope.js";
import { decodeFrame, KINDS, kindOf, LEADS, WARMUP } from "./wire.js";

const $ = (id) => document.getElementById(id);
const STALE_MS = 2000;
const STATUSES = 400; // one a second: as long as the ring
const RETRY_MS = [250, 500, 1000, 2000, 4000];

const scope = new Scope($("paper"), $("traces"));
const counts = Object.fromEntries(LEADS.map((lead) => [lead, 0]));
const run = { header: null, ring: null, playout: null, provenance: -1, status: null, past: [] };
const calipers = new Calipers($("screen"), scope, panel.announce);
const link = { socket: null, tries: 0, reconnects: 0, connected: false, ended: false, sequence: -1, framesLost: 0 };
const view = { head: NaN, frozen: false, frozenAt: NaN, back: 0, lastData: -Infinity, warming: null, provenance: -1 };

// ---- the socket ---------------------------------------------------------------------------------

function connect() {
  const there = new URL("ws", location.href); // beside the page: a proxy may serve it under a path
  there.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  there.search = there.hash = "";
  link.socket = new WebSocket(there);
  link.socket.binaryType = "arraybuffer";
  link.socket.onmessage = ({ data }) => (typeof data === "string" ? onText(JSON.parse(data)) : onFrame(data));
  link.socket.onclose = onClose;
}

function onClose() {
  if (link.connected) panel.announce(link.ended ? "The run has ended" : "Connection lost, reconnecting");
  link.connected = false;
  const wait = RETRY_MS[Math.min(link.tries++, RETRY_MS.length - 1)];
  setTimeout(connect, wait);
}

const TEXT = {
  header: onHeader,
  status(message) {
    const said = [calibration(), run.status?.reconstructed_from].join();
    run.status = message;
    run.past.push({ at: run.ring.end, message });
    if (run.past.length > STATUSES) run.past.shift();
    if (view.frozen) return; // its figures are those of its own time
    if ([calibration(), message.reconstructed_from].join() !== said) relabel();
    showFigures(message);
  },
  note(message) {
    panel.addEvent(message);
    if (message.kind !== "held") panel.announce(message.text);
  },
  end() {
    link.ended = true;
  },
};

function onText(message) {
  TEXT[message.type]?.(message);
}

function onHeader(header) {
  if (run.header) {
    link.reconnects++;
    panel.announce("Reconnected");
  }
  Object.assign(link, { connected: true, ended: false, tries: 0, sequence: -1 });
  Object.assign(run, { header, ring: new Ring(header.fs, (header.channels ?? []).length), playout: new Playout(header.fs, header.hop), status: null, past: [] });
  run.provenance = header.provenance.reduce((word, kind, k) => word | (KINDS.indexOf(kind) << (2 * k)), 0);
  view.lastData = performance.now();
  panel.clearEvents();
  if (view.frozen) return; // the frozen screen keeps its own samples; the new run shows when it thaws
  startScope();
}

function showFigures(message) {
  panel.showStatus(message, run.header, run.playout.delayMs);
}

/** The figures that held at the instant a frozen screen shows. */
function frozenFigures() {
  const then = statusThen();
  if (then) panel.showStatus(then, view.header, run.playout.delayMs);
  else panel.forgetFigures(view.header);
}

function statusThen() {
  return view.past.findLast(({ at }) => at <= view.head + scope.ring.fs)?.message;
}

function startScope() {
  panel.showHeader(run.header);
  if (run.status) showFigures(run.status);
  else panel.forgetFigures(run.header);
  scope.use(run.ring);
  view.head = NaN;
  run.playout.reset();
  scope.options.channels = run.header.channels ?? [];
  fit();
}

function onFrame(buffer) {
  const frame = decodeFrame(buffer);
  if (!frame || !run.ring) return;
  if (link.sequence >= 0) link.framesLost += (frame.sequence - link.sequence - 1) >>> 0;
  link.sequence = frame.sequence;
  const onward = run.ring.push(frame);
  for (const lead of LEADS) counts[lead] += frame.n;
  view.lastData = performance.now();
  run.provenance = frame.provenance;
  if (!onward && !view.frozen) startScope();
}

// ---- drawing ------------------------------------------------------------------------------------

function tick(now) {
  requestAnimationFrame(tick);
  showState(now);
  if (view.frozen) panel.showClock(view.header, view.head);
  if (!run.ring || run.ring.empty || view.frozen || !scope.scene) return;
  view.head = run.playout.advance(now, run.ring.end);
  panel.showClock(run.header, view.head);
  if (scope.ring === run.ring) scope.drawTo(view.head);
  if (view.provenance !== scope.provenanceAt(view.head)) relabel();
  const warming = (run.ring.flags[Math.max(0, Math.floor(view.head)) % run.ring.size] & WARMUP) !== 0;
  if (warming !== view.warming) panel.showWarmup((view.warming = warming), run.provenance);
}

/** One word on the state of things, and a banner where the traces are not live. */
function showState(now) {
  const state = currentState(now);
  panel.showFramesLost(link.framesLost);
  if (state === view.state) return;
  view.state = state;
  const [word, banner] = STATES[state];
  panel.showState(state, word);
  panel.showBanner(banner);
  if (banner && !view.frozen) panel.forgetFigures(run.header); // old figures must not pass for live ones
  document.body.dataset.state = state;
}

const STATES = {
  live: ["Live", null],
  frozen: ["Frozen", null],
  connecting: ["Connecting", "Connecting to the monitor …"],
  lost: ["Reconnecting", "Connection lost · reconnecting …"],
  ended: ["Run ended", "The run has ended · waiting for the next one …"],
  source: ["Device lost", "The device is not connected · waiting for it …"],
  stale: ["No data", "No data is arriving"],
};

function currentState(now) {
  if (!link.connected) return link.ended ? "ended" : run.header ? "lost" : "connecting";
  if (run.status && run.status.connected === false) return "source";
  if (view.frozen) return "frozen";
  return now - view.lastData > STALE_MS ? "stale" : "live";
}

function relabel() {
  if (!run.header || !scope.scene) return;
  const there = scope.ring && !scope.ring.empty && !Number.isNaN(view.head);
  view.provenance = there ? scope.provenanceAt(view.head) : run.provenance;
  const mixed = there && view.frozen ? scope.mixedUntil(view.head) : [];
  panel.showLabels(scope.scene, view.provenance, run.header.st_weak, { calibration: calibration(), from: remaining(view.provenance), mixed });
  view.warming = null;
  if (view.frozen) frozenFigures();
  else if (run.status && view.state === "live") showFigures(run.status); // new labels have no figures yet
}

/** The leads others are reconstructed from where these are not all of the model's inputs; else nothing. */
function remaining(provenance) {
  const now = view.frozen ? null : run.status?.reconstructed_from;
  const measured = (lead) => !LEADS.includes(lead) || kindOf(provenance, LEADS.indexOf(lead)) === 0;
  const there = run.header.inputs.filter((lead) => measured(lead) && (!now?.length || now.includes(lead)));
  return there.length < run.header.inputs.length ? there.join(", ") : "";
}

/** What is said of reconstructed leads now: nothing where the model's own head speaks. */
function calibration() {
  const status = view.frozen ? statusThen() : run.status;
  return status ? (status.calibration_fits ? status.calibration : "") : run.header?.calibration ?? "";
}

/** Redraw everything that is on the screen. */
function wipe() {
  calipers.clear();
  // A frozen strip ends at its right edge: the seam of a sweep would cut a beat.
  if (scope.ring && scope.scene && !Number.isNaN(view.head)) view.frozen ? scope.still(view.head) : scope.redraw(view.head);
  else if (scope.scene) scope.ink.clearRect(0, 0, scope.ink.canvas.width, scope.ink.canvas.height);
}

function fit() {
  const { clientWidth, clientHeight } = $("screen");
  if (!clientWidth || !clientHeight) return;
  scope.fit(clientWidth, clientHeight, window.devicePixelRatio || 1);
  relabel();
  wipe();
}

// ---- controls -----------------------------------------------------------------------------------

function setOption(name, value) {
  scope.options[name] = value;
  document.body.dataset[name] = value;
  const radio = document.querySelector(`input[name="${name}"][value="${value}"]`);
  if (radio) radio.checked = true;
  $("scale").textContent = `${scope.options.speed} mm/s · ${scope.options.gain} mm/mV`;
  if (name === "band") $("band").setAttribute("aria-pressed", String(value));
  fit();
}

function cycle(name, values) {
  setOption(name, values[(values.indexOf(scope.options[name]) + 1) % values.length]);
}

function freeze() {
  if (!run.ring || (!view.frozen && Number.isNaN(view.head))) return; // nothing to hold yet
  view.frozen = !view.frozen;
  $("freeze").setAttribute("aria-pressed", String(view.frozen));
  panel.announce(view.frozen ? "Screen frozen" : "Screen live");
  Object.assign(view, { frozenAt: view.head, back: 0, past: run.past.slice(), header: run.header });
  calipers.active = view.frozen;
  calipers.clear();
  if (view.frozen) {
    scope.use(run.ring.copy());
    wipe();
    relabel();
  } else startScope();
  panel.showBack(view.frozen, 0, view.frozen ? secondsHeld() : 0);
}

function secondsHeld() {
  return Math.max(0, Math.floor((view.frozenAt - scope.ring.first) / scope.ring.fs));
}

/** On a frozen screen: show the strips that ended so many seconds before it was frozen. */
function lookBack(seconds) {
  if (!view.frozen || Number.isNaN(view.frozenAt)) return;
  view.back = Math.max(0, Math.min(secondsHeld(), Math.round(seconds)));
  view.head = view.frozenAt - view.back * scope.ring.fs;
  wipe();
  relabel();
  panel.showBack(true, view.back, secondsHeld());
}

/** What is on the screen, on paper: a canvas. */
function page() {
  const h = run.header;
  const said = calibration();
  return drawPage(scope, view.head, {
    device: h.device || h.source,
    patient: h.patient,
    from: remaining(scope.provenanceAt(view.head)),
    model: `model ${h.model.name}, ${h.model.precision}`,
    calibration: said,
    notes: view.back ? `${view.back} s before the screen was frozen` : "",
    when: panel.timeOf(view.frozen ? view.header : h, view.head),
  });
}

function file(kind) {
  return kind === "png" ? pictureOf(page()) : printed(Math.round(view.head), scope.options);
}

function ready() {
  return scope.ring && scope.scene && !Number.isNaN(view.head);
}

async function save(kind) {
  if (!ready()) return;
  const name = `ecg-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}`;
  try {
    download(await file(kind), `${name}.${kind}`);
    panel.announce(`Saved as ${kind.toUpperCase()}`);
  } catch (error) {
    panel.addEvent({ kind: "page", at: Date.now(), text: `no page: ${error.message}` });
    panel.announce(`No page: ${error.message}`);
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").setAttribute("aria-pressed", String(theme === "light"));
  if (!scope.scene) return;
  scope.restyle();
  wipe();
}

function flipTheme() {
  setTheme(document.documentElement.dataset.theme === "light" ? "dark" : "light");
}

const KEYS = {
  " ": freeze,
  arrowleft: () => lookBack(view.back + 1),
  arrowright: () => lookBack(view.back - 1),
  pageup: () => lookBack(view.back + 10),
  pagedown: () => lookBack(view.back - 10),
  home: () => lookBack(Infinity),
  end: () => lookBack(0),
  escape: () => calipers.clear(),
  c: () => calipers.place(),
  p: () => save("pdf"),
  n: () => save("png"),
  m: () => cycle("mode", ["sweep", "scroll"]),
  l: () => cycle("layout", Object.keys(LAYOUTS)),
  s: () => cycle("speed", SPEEDS),
  g: () => cycle("gain", GAINS),
  b: () => setOption("band", !scope.options.band),
  t: flipTheme,
};

function onKey(event) {
  const inControl = event.target instanceof Element && event.target.closest("button, input, summary");
  if (event.ctrlKey || event.altKey || event.metaKey || (event.key === " " && inControl)) return;
  if (!inControl && calipers.key(event)) return event.preventDefault();
  const key = event.key.toLowerCase();
  const act = KEYS[key];
  const moves = /^(arrow|page|home|end)/.test(key);
  if (!act || (event.repeat && !moves) || (moves && (inControl || !view.frozen))) return;
  event.preventDefault();
  act();
}

for (const input of document.querySelectorAll("input[type=radio]"))
  input.addEventListener("change", () => setOption(input.name, isNaN(input.value) ? input.value : Number(input.value)));
$("menu").addEventListener("click", () => {
  const open = document.body.toggleAttribute("data-menu");
  $("menu").setAttribute("aria-expanded", String(open));
});
$("band").addEventListener("click", KEYS.b);
$("freeze").addEventListener("click", freeze);
$("theme").addEventListener("click", flipTheme);
$("pdf").addEventListener("click", KEYS.p);
$("png").addEventListener("click", KEYS.n);
$("back").addEventListener("input", () => lookBack(-$("back").value));
document.addEventListener("keydown", onKey);
new ResizeObserver(fit).observe($("screen"));
matchMedia("(prefers-color-scheme: light)").addEventListener("change", (e) => setTheme(e.matches ? "light" : "dark"));

// ---- for tests and for the curious --------------------------------------------------------------

window.ecgMonitor = {
  counts,
  layouts: LAYOUTS,
  styles: STYLES,
  scope,
  setOption,
  setTheme,
  page,
  file,
  get header() {
    return run.header;
  },
  get back() {
    return view.back;
  },
  get frozen() {
    return view.frozen;
  },
  get state() {
    return view.state;
  },
  get head() {
    return view.head;
  },
  get reconnects() {
    return link.reconnects;
  },
  get framesLost() {
    return link.framesLost;
  },
  get columnsDrawn() {
    return scope.columnsDrawn;
  },
  get provenance() {
    return Object.fromEntries(
      LEADS.map((lead, k) => {
        const kind = KINDS[kindOf(run.provenance, k)];
        return [lead, { kind, color: scope.theme[kind], ...STYLES[kind] }];
      }),
    );
  },
};

// The strips have the screen's size: scaled to paper they would slide away from their names. So a page is printed.
addEventListener("beforeprint", () => {
  if (!ready()) return;
  const sheet = page();
  sheet.id = "sheet";
  document.body.append(sheet);
});
addEventListener("afterprint", () => $("sheet")?.remove());

setTheme(matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
setOption("layout", innerWidth < 700 ? "6x2" : "3x4");
setOption("band", true);
connect();
requestAnimationFrame(tick);
