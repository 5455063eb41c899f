// The lead-off figure: a chest with the electrodes on it, those that are off struck out.

const AT = {
  RA: [12, 15],
  LA: [34, 15],
  RL: [14, 46],
  LL: [32, 46],
  V1: [20, 26],
  V2: [25, 26],
  V3: [28, 29],
  V4: [30, 33],
  V5: [33.5, 33],
  V6: [37, 33],
}; // seen from the front: the patient's right is on the left
const NS = "http://www.w3.org/2000/svg";

/** Draw a channel from its negative to its positive electrode; names such as RA-V5. */
export function showChannels(svg, channels) {
  for (const old of svg.querySelectorAll(".channel")) old.remove();
  for (const name of channels) {
    const [from, to] = name.split("-").map((electrode) => AT[electrode]);
    if (!from || !to) continue;
    const line = document.createElementNS(NS, "path");
    line.setAttribute("class", "channel");
    line.setAttribute("d", `M${from[0]} ${from[1]}L${to[0]} ${to[1]}`);
    svg.append(line);
  }
}

/** Mark the electrodes that are worn on `svg`, which of them are off, and hollow those of which nobody can tell. */
export function showElectrodes(svg, worn, off, sensed) {
  const names = Object.keys(AT).filter((name) => worn.includes(name) || off.includes(name));
  const kind = (name) => (off.includes(name) ? "off" : sensed.includes(name) ? "on" : "unsensed");
  const state = names.map((name) => `${name} ${kind(name)}`).join();
  if (svg.dataset.state === state) return;
  svg.dataset.state = state;
  for (const old of svg.querySelectorAll(".electrode")) old.remove();
  for (const name of names) svg.append(mark(AT[name], kind(name)));
}

function mark([x, y], kind) {
  const off = kind === "off";
  const node = document.createElementNS(NS, off ? "path" : "circle");
  node.setAttribute("class", `electrode ${kind}`);
  const shape = off ? { d: `M${x - 4} ${y - 4}l8 8m0-8l-8 8` } : { cx: x, cy: y, r: 2.6 };
  for (const [key, value] of Object.entries(shape)) node.setAttribute(key, value);
  return node;
}
