// Curves and bars, from nothing but what a browser has. Whatever is written comes from others: it is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children, which are elements or text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function draw(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

/** Two to four round numbers from low to high. */
function ticks(low, high) {
  const step = 10 ** Math.floor(Math.log10(high - low));
  const size = [0.2, 0.5, 1, 2, 5].map((f) => f * step).find((s) => (high - low) / s <= 3.5);
  const all = [];
  for (let at = Math.ceil(low / size) * size; at <= high + size * 1e-9; at += size) all.push(at);
  return all;
}

/**
 * Lines over one axis. `lines` are { name, colour, dashed, points: [[x, y], ..] }; `show` writes a value, `x` what the axis counts.
 * `range` may fix the axis, `tall` makes it higher; else it is that of the points, from `floor` on where there is one.
 */
export function curves({ title, lines, show, x, floor, range, tall }) {
  const [width, height, left, right, top, bottom] = [520, tall ? 208 : 150, 46, 96, 22, 22];
  const points = lines.flatMap((line) => line.points);
  const svg = document.createElementNS(SVG, "svg");
  const last = lines.filter((l) => l.points.length).map((l) => `${l.name} ${show(l.points.at(-1)[1])}`);
  const summary = `${title} over ${x}: ${last.join(", ") || "nothing yet"}`;
  for (const [key, value] of Object.entries({ viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": summary })) {
    svg.setAttribute(key, value);
  }
  draw(svg, "text", { x: 0, y: 11, class: "name" }, title);
  if (!points.length) return svg;
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  let [y0, y1] = range ?? [Math.min(...ys, floor ?? Infinity), Math.max(...ys)];
  if (y1 - y0 < 1e-9) [y0, y1] = [y0 - (Math.abs(y0) * 0.1 || 0.5), y1 + (Math.abs(y1) * 0.1 || 0.5)];
  const px = (v) => left + ((v - x0) / (x1 - x0 || 1)) * (width - left - right);
  const py = (v) => height - bottom - ((v - y0) / (y1 - y0)) * (height - top - bottom);
  for (const tick of ticks(y0, y1)) {
    draw(svg, "line", { x1: left, x2: width - right, y1: py(tick), y2: py(tick), class: "grid" });
    draw(svg, "text", { x: left - 7, y: py(tick) + 4, "text-anchor": "end" }, show(tick));
  }
  draw(svg, "text", { x: left, y: height - 5 }, `${x} ${x0}`);
  if (x1 > x0) draw(svg, "text", { x: width - right, y: height - 5, "text-anchor": "end" }, String(x1));
  let free = -Infinity;
  const ends = [];
  for (const line of lines.filter((l) => l.points.length)) {
    const at = line.points.map(([a, b]) => `${px(a).toFixed(1)},${py(b).toFixed(1)}`).join(" ");
    const [endX, endY] = line.points.at(-1);
    draw(svg, "polyline", { points: at, stroke: `var(${line.colour})`, "stroke-dasharray": line.dashed ? "2 4" : "none" });
    draw(svg, "circle", { cx: px(endX), cy: py(endY), r: 3, fill: `var(${line.colour})` });
    ends.push({ y: py(endY), text: `${line.name} ${show(endY)}` });
  }
  for (const { y, text } of ends.sort((a, b) => a.y - b.y)) {
    free = Math.max(free + 14, y + 4);
    draw(svg, "text", { x: width - right + 8, y: free, class: "name" }, text);
  }
  return svg;
}

/** Bars of named rows, each cut into pieces: rows are { name, total, pieces: [[name, value, colour], ..] }. */
export function bars(rows, show) {
  const most = Math.max(...rows.map((row) => row.total), 1e-12);
  const grid = make("div", { class: "bars", role: "list" });
  for (const row of rows) {
    const track = make("div", { class: "track" });
    for (const [name, value, colour] of row.pieces) {
      const piece = make("i", { class: `k${colour}`, title: `${row.name}, ${name}: ${show(value)}` });
      piece.style.width = `${(100 * value) / most}%`;
      track.append(piece);
    }
    track.setAttribute("aria-hidden", "true");
    const item = make("div", { role: "listitem", class: "item" });
    item.append(make("span", { class: "name" }, row.name), track, make("span", { class: "value" }, show(row.total)));
    grid.append(item);
  }
  return grid;
}

/** What the colours mean. */
export function legend(names) {
  return make("ul", { class: "legend" }, ...names.map(([name, colour]) => make("li", {}, make("i", { class: `k${colour}` }), name)));
}

/** A table: heads, and rows of texts or elements. */
export function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}
