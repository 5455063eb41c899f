// The overview: one socket in, a tile for each bed.

import { Tile } from "./tile.js";

const $ = (id) => document.getElementById(id);
const RETRY_MS = [250, 500, 1000, 2000, 4000];
const STALE_MS = 3000;
const SORT_MS = 2000;
const MAGIC = 0xe2;

const tiles = new Map(); // by the bed's number
const link = { socket: null, tries: 0, heard: -Infinity, state: "connecting", role: "", leads: [] };
const view = { byTrouble: true, sortedAt: -Infinity, order: "", frames: 0, troubles: new Map(), limitsOf: "" };
let waiting = []; // messages with strips, drawn at the next turn of the screen

// ---- the socket ---------------------------------------------------------------------------------

function connect() {
  const there = new URL("ws", location.href);
  there.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  there.search = there.hash = "";
  link.socket = new WebSocket(there);
  link.socket.binaryType = "arraybuffer";
  link.socket.onmessage = ({ data }) => (typeof data === "string" ? onText(JSON.parse(data)) : waiting.push(data));
  link.socket.onclose = () => setTimeout(connect, RETRY_MS[Math.min(link.tries++, RETRY_MS.length - 1)]);
}

const TEXT = {
  hello(message) {
    Object.assign(link, { role: message.role, leads: message.leads, tries: 0 });
  },
  tiles(message) {
    link.heard = performance.now();
    const there = new Set(message.beds.map((bed) => bed.n));
    for (const [number, tile] of tiles) if (!there.has(number)) remove(number, tile);
    for (const bed of message.beds) place(bed);
    announceTroubles(message.beds);
    sort();
    const marked = message.beds.filter((bed) => bed.level > 1).length;
    $("count").textContent = `${message.beds.length} beds, ${marked ? `${marked} to look at` : "all well"}`;
  },
  set(message) {
    $("limits-wrong").textContent = message.error;
    if (!message.error) $("limits").close();
  },
};

function onText(message) {
  TEXT[message.type]?.(message);
}

function place(bed) {
  let tile = tiles.get(bed.n);
  if (!tile) {
    tile = new Tile(bed, openLimits);
    tiles.set(bed.n, tile);
    $("beds").append(tile.node);
    seen.observe(tile.node);
    tile.fit(devicePixelRatio || 1);
    view.order = "";
  }
  tile.show(bed, link.role === "full");
}

function remove(number, tile) {
  seen.unobserve(tile.node);
  tile.node.remove();
  tiles.delete(number);
  view.order = "";
}

// ---- drawing ------------------------------------------------------------------------------------

function tick(now) {
  requestAnimationFrame(tick);
  showState(now);
  if (!waiting.length) return;
  const messages = waiting;
  waiting = [];
  view.frames++;
  for (const buffer of messages) drawStrips(buffer);
}

function drawStrips(buffer) {
  const data = new DataView(buffer);
  if (data.getUint8(0) !== MAGIC || data.getUint8(1) !== 1) return;
  let at = 4;
  for (let k = data.getUint16(2, true); k > 0; k--) {
    const [number, lead, n, fs] = [0, 2, 8, 10].map((offset) => data.getUint16(at + offset, true));
    const values = new Int16Array(buffer, at + 12, n);
    tiles.get(number)?.draw(link.leads[lead], data.getUint32(at + 4, true), fs, values);
    at += 12 + 2 * n;
  }
}

const WORDS = { live: "Live", connecting: "Connecting", lost: "Connection lost" };

function showState(now) {
  const state = now - link.heard <= STALE_MS ? "live" : link.heard < 0 ? "connecting" : "lost";
  if (state === link.state) return;
  link.state = state;
  document.body.dataset.state = state;
  $("state").dataset.state = state;
  $("state").textContent = WORDS[state];
  $("banner").hidden = state !== "lost";
  $("banner").textContent = "Connection lost: nothing here is live";
  if (state === "lost") for (const tile of tiles.values()) tile.forget(); // old figures must not pass for live ones
}

// ---- order --------------------------------------------------------------------------------------

const natural = new Intl.Collator(undefined, { numeric: true });

function compare(a, b) {
  const level = view.byTrouble ? b.bed.level - a.bed.level : 0;
  return level || natural.compare(a.bed.name, b.bed.name);
}

/** Put the tiles in order, not more often than an eye can follow, and keep the focus where it is. */
function sort() {
  const now = performance.now();
  if (view.order && now - view.sortedAt < SORT_MS) return;
  view.sortedAt = now;
  const sorted = [...tiles.values()].sort(compare);
  const order = sorted.map((tile) => tile.number).join();
  if (order === view.order) return;
  view.order = order;
  const focused = document.activeElement;
  let at = $("beds").firstElementChild;
  for (const { node } of sorted) {
    if (node === at) at = at.nextElementSibling;
    else $("beds").insertBefore(node, at);
  }
  if (focused !== document.activeElement) focused.focus({ preventScroll: true });
}

function flipOrder() {
  view.byTrouble = !view.byTrouble;
  view.order = "";
  $("sort").firstChild.textContent = view.byTrouble ? "By trouble " : "By name ";
  sort();
}

/** A reader of screens hears what is new and urgent. */
function announceTroubles(beds) {
  const fresh = [];
  for (const bed of beds) {
    const now = bed.level > 1 ? bed.trouble[0] : "";
    if (now && view.troubles.get(bed.n) !== now) fresh.push(`${bed.name}: ${now}`);
    view.troubles.set(bed.n, now);
  }
  if (fresh.length) $("live").textContent = fresh.slice(0, 3).join(". ");
  for (const number of view.troubles.keys()) if (!tiles.has(number)) view.troubles.delete(number);
}

// ---- limits -------------------------------------------------------------------------------------

function openLimits(bed) {
  view.limitsOf = bed.name;
  $("limits-of").textContent = `Limits of ${bed.name}`;
  $("low").value = bed.limits.low ?? "";
  $("high").value = bed.limits.high ?? "";
  $("silence").value = bed.limits.silence;
  $("limits-wrong").textContent = "";
  $("limits").showModal();
}

function sendLimits(event) {
  event.preventDefault();
  const number = (id) => ($(id).value === "" ? null : Number($(id).value));
  link.socket.send(JSON.stringify({ set: view.limitsOf, low: number("low"), high: number("high"), silence: number("silence") }));
}

// ---- keys and sizes -----------------------------------------------------------------------------

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").setAttribute("aria-pressed", String(theme === "light"));
  fit();
}

function flipTheme() {
  setTheme(document.documentElement.dataset.theme === "light" ? "dark" : "light");
}

/** Move the focus by so many tiles; up and down move by a row. */
function move(columns, rows) {
  const links = [...document.querySelectorAll(".tile a")];
  const at = links.indexOf(document.activeElement.closest?.(".tile")?.querySelector("a"));
  if (at < 0) return links[0]?.focus();
  const tops = links.map((l) => l.getBoundingClientRect().top);
  const perRow = Math.max(1, tops.filter((top) => Math.abs(top - tops[0]) < 2).length);
  links[Math.max(0, Math.min(links.length - 1, at + columns + rows * perRow))]?.focus();
}

const KEYS = {
  s: flipOrder,
  t: flipTheme,
  l: () => document.activeElement.closest?.(".tile")?.querySelector("button:not([hidden])")?.click(),
  arrowleft: () => move(-1, 0),
  arrowright: () => move(1, 0),
  arrowup: () => move(0, -1),
  arrowdown: () => move(0, 1),
};

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || $("limits").open) return;
  const act = KEYS[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

function fit() {
  for (const tile of tiles.values()) tile.fit(devicePixelRatio || 1);
}

/** Tiles that nobody sees are not drawn. */
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const tile = [...tiles.values()].find(({ node }) => node === target);
    if (!tile || tile.visible === isIntersecting) continue;
    tile.visible = isIntersecting;
    tile.wipe();
  }
}, { rootMargin: "80px" });

$("sort").addEventListener("click", flipOrder);
$("theme").addEventListener("click", flipTheme);
$("limits").querySelector("form").addEventListener("submit", sendLimits);
$("limits-leave").addEventListener("click", () => $("limits").close());
document.addEventListener("keydown", onKey);
new ResizeObserver(fit).observe($("beds"));

// ---- for tests and for the curious --------------------------------------------------------------

window.ecgWard = {
  tiles,
  setTheme,
  get state() {
    return link.state;
  },
  get frames() {
    return view.frames;
  },
  get names() {
    return [...document.querySelectorAll(".tile")].map((node) => [...tiles.values()].find((t) => t.node === node).bed.name);
  },
};

setTheme(matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
connect();
requestAnimationFrame(tick);
