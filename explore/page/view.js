"use strict";
// Draws the report from the data in the page; needs no network and no library.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const SYMBOL = { measured: "\u25cf", routed: "\u25c6", synthesized: "\u25b2", modelled: "\u25cb", published: "\u25a1" };
const COLORS = ["--c5", "--c3", "--c6", "--c4", "--c2", "--c0", "--c1"];
const state = { chosen: data.points.length ? data.points[0].number : null, sort: null, down: false };
const byNumber = new Map(data.points.map((point) => [point.number, point]));

function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  return fill(node, attributes, children);
}
function draw(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  return fill(node, attributes, children);
}
function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}
const digits = (value) => {
  if (value === null || value === undefined) return "\u2013";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5) return Math.round(value).toLocaleString("en");
  if (size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
};
const shown = (figure) => figure.low === figure.high ? digits(figure.low) : `${digits(figure.low)} \u2026 ${digits(figure.high)}`;
const middle = (figure) => (figure.low + figure.high) / 2;
const mark = (evidence) => make("span", { class: "mark-of", title: data.evidence[evidence] }, `${SYMBOL[evidence]} ${evidence}`);
const label = (name) => { const metric = data.metrics[name]; return metric.unit ? `${metric.title}, ${metric.unit}` : metric.title; };
const circuit = (one) => `${one.kind} ${one.pe} \u00d7 ${one.lanes}, ${one.digit} of ${one.act_bits} bits`;

// ---- plots ----
const SHAPES = {
  popcount: (x, y, r) => draw("circle", { cx: x, cy: y, r }),
  addsub: (x, y, r) => draw("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r }),
  lut: (x, y, r) => draw("path", { d: `M${x} ${y - 1.25 * r}L${x + 1.2 * r} ${y + r}L${x - 1.2 * r} ${y + r}Z` }),
  gpu: (x, y, r) => draw("path", { d: `M${x} ${y - 1.3 * r}L${x + 1.3 * r} ${y}L${x} ${y + 1.3 * r}L${x - 1.3 * r} ${y}Z` }),
};
function scaleOf(values, from, to) {
  const low = Math.log10(Math.min(...values)), high = Math.log10(Math.max(...values));
  const pad = Math.max(0.04 * (high - low), 0.02);
  const unit = (to - from) / (high - low + 2 * pad);
  const at = (value) => from + (Math.log10(value) - low + pad) * unit;
  at.ticks = ticks(low - pad, high + pad);
  return at;
}
function ticks(low, high) {
  const steps = high - low > 3 ? [1] : high - low > 1.2 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
  const found = [];
  for (let power = Math.floor(low); power <= high; power++)
    for (const step of steps) { const value = step * 10 ** power; if (Math.log10(value) >= low && Math.log10(value) <= high) found.push(value); }
  const every = Math.ceil(found.length / 7);
  return found.filter((_, n) => n % every === 0);
}
const gpuClass = (figure) => figure.evidence === "measured" ? "gpu" : "gpu roofline";
function chart([across, up]) {
  const W = 460, H = 340, L = 62, R = 12, T = 10, B = 44;
  const known = data.points.filter((point) => point.figures[across] && point.figures[up]);
  const both = data.references.filter((one) => one.figures[up] && one.figures[across]);
  const lines = data.references.filter((one) => one.figures[up] && Object.keys(one.figures).length === 1);
  const cloud = data.cloud[across].map((x, n) => [x, data.cloud[up][n]]).filter(([x, y]) => x > 0 && y > 0);
  const xs = [...cloud.map((one) => one[0]), ...known.map((one) => middle(one.figures[across])), ...both.map((one) => middle(one.figures[across]))];
  const ys = [...cloud.map((one) => one[1]), ...known.map((one) => middle(one.figures[up])), ...[...both, ...lines].map((one) => middle(one.figures[up]))];
  if (!xs.length) return make("figure", {}, make("figcaption", {}, `${label(up)} over ${label(across)}`), make("p", { class: "hint" }, "No candidate has both figures yet."));
  const x = scaleOf(xs, L, W - R), y = scaleOf(ys, H - B, T);
  const clip = (value, low, high) => Math.min(high, Math.max(low, value));
  const svg = draw("svg", { viewBox: `0 0 ${W} ${H}`, tabindex: 0, role: "application", "aria-label": `${label(up)} over ${label(across)}: ${known.length} points of the front. Arrow keys move from point to point.`, "data-chart": across });
  for (const value of x.ticks) svg.append(draw("line", { class: "grid", x1: x(value), x2: x(value), y1: T, y2: H - B }), draw("text", { class: "tick", x: x(value), y: H - B + 15, "text-anchor": "middle" }, digits(value)));
  for (const value of y.ticks) svg.append(draw("line", { class: "grid", x1: L, x2: W - R, y1: y(value), y2: y(value) }), draw("text", { class: "tick", x: L - 6, y: y(value) + 4, "text-anchor": "end" }, digits(value)));
  svg.append(draw("text", { x: (L + W - R) / 2, y: H - 8, "text-anchor": "middle" }, label(across)));
  svg.append(draw("text", { x: 14, y: (T + H - B) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(T + H - B) / 2})` }, label(up)));
  for (const [cx, cy] of cloud) svg.append(draw("circle", { class: "cloud", cx: x(cx).toFixed(1), cy: y(cy).toFixed(1), r: 2 }));
  for (const one of lines) { const at = y(middle(one.figures[up])); svg.append(draw("line", { class: "float", x1: L, x2: W - R, y1: at, y2: at }), draw("text", { class: "tick", x: L + 4, y: at - 4 }, one.name)); }
  both.forEach((one) => {
    const figure = one.figures[across], cx = x(middle(figure)), cy = y(middle(one.figures[up]));
    const ends = [clip(x(Math.max(figure.low, 1e-12)), L, W - R), clip(x(figure.high), L, W - R)];
    svg.append(draw("line", { class: "gpu-line", x1: ends[0], x2: ends[1], y1: cy, y2: cy }), fill(SHAPES.gpu(cx, cy, 5), { class: gpuClass(figure) }, [draw("title", {}, `${one.name}: ${shown(figure)} ${data.metrics[across].unit}`)]));
  });
  const marks = draw("g");
  const ordered = [...known].sort((a, b) => middle(a.figures[across]) - middle(b.figures[across]));
  svg.append(marks);
  const paint = () => {
    marks.replaceChildren();
    for (const point of [...ordered].sort((a, b) => (a.number === state.chosen) - (b.number === state.chosen))) {
      const fx = point.figures[across], fy = point.figures[up], px = x(middle(fx)), py = y(middle(fy)), on = point.number === state.chosen;
      if (on) {
        marks.append(draw("line", { class: "whisker", x1: clip(x(fx.low), L, W - R), x2: clip(x(fx.high), L, W - R), y1: py, y2: py }));
        marks.append(draw("line", { class: "whisker", x1: px, x2: px, y1: clip(y(fy.low), T, H - B), y2: clip(y(fy.high), T, H - B) }));
      }
      marks.append(fill(SHAPES[point.candidate.kind](px, py, on ? 6 : 4.2), { class: on ? "mark chosen" : "mark", "data-point": point.number, onclick: () => choose(point.number) }, [draw("title", {}, `${point.candidate.format}; ${circuit(point.candidate)}`)]));
    }
  };
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    const at = ordered.findIndex((point) => point.number === state.chosen);
    let to = null;
    if (step) to = clip(at + step, 0, ordered.length - 1);
    if (event.key === "Home") to = 0;
    if (event.key === "End") to = ordered.length - 1;
    if (event.key === "Enter") $("point").scrollIntoView();
    if (to !== null && ordered.length) { event.preventDefault(); choose(ordered[to].number); }
  });
  const named = new Set();
  for (const point of [...ordered].reverse()) {
    const form = point.candidate.format, figure = point.figures[up];
    if (named.has(form) || up !== "perplexity") continue;
    named.add(form);
    svg.append(draw("text", { class: "form", x: W - R - 2, y: y(middle(figure)) - 7, "text-anchor": "end" }, form.replace(" weights only", "")));
  }
  painters.push(paint);
  return make("figure", {}, make("figcaption", {}, `${data.metrics[up].title} over ${data.metrics[across].title}`), svg);
}

// ---- the chosen point ----
const painters = [];
function choose(number) { state.chosen = number; refresh(); }
function refresh() {
  for (const paint of painters) paint();
  detail();
  for (const row of $("front").querySelectorAll("tr.pick")) row.setAttribute("aria-selected", String(Number(row.dataset.point) === state.chosen));
}
function bar(name, pieces, text, most) {
  const track = make("div", { class: "track" }, ...pieces.filter((piece) => piece.value > 0).map((piece) => make("div", { class: "piece", style: `width:${100 * piece.value / most}%;background:var(${piece.color})`, title: `${piece.name}: ${digits(piece.value)}` })));
  return make("div", { class: "bar" }, make("span", { class: "name", title: name }, name), track, make("span", {}, text));
}
function range(name, low, high, at, from, to, text) {
  const share = (value) => 100 * (value - from) / (to - from || 1);
  const track = make("div", { class: "track" }, make("div", { class: "range", style: `left:${share(low)}%;width:${Math.max(0.5, share(high) - share(low))}%` }), make("div", { class: "at", style: `left:${share(at)}%` }));
  return make("div", { class: "bar" }, make("span", { class: "name", title: name }, name), track, make("span", {}, text));
}
const pieces = (joules) => data.components.map((name, n) => ({ name, color: COLORS[n % COLORS.length], value: joules[name] ? 1e3 * (joules[name][0] + joules[name][1]) / 2 : 0 }));
function detail() {
  const point = byNumber.get(state.chosen);
  if (!point) { $("detail").replaceChildren(make("p", {}, "No candidate is known in all objectives yet: a run with more trust finds them.")); return; }
  const rows = Object.entries(point.figures).map(([name, figure]) => make("tr", {}, make("td", { class: "words" }, label(name)), make("td", {}, shown(figure)), make("td", { class: "words" }, mark(figure.evidence)), make("td", { class: "words source" }, figure.source)));
  const figures = make("div", { class: "card", style: "grid-column:1/-1" }, make("h3", {}, `Point ${point.number}: ${point.candidate.format} on ${circuit(point.candidate)}; ${point.place}`),
    make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...["figure", "value", "evidence", "source"].map((word, n) => make("th", { class: n === 1 ? null : "words", scope: "col" }, word)))), make("tbody", {}, ...rows))),
    make("h3", {}, "Build it"), make("pre", { id: "command" }, point.command), make("button", { type: "button", onclick: (event) => copy(point.command, event.target) }, "Copy the command"),
    ...(point.price ? [make("h3", {}, "Price it again"), make("pre", { id: "price" }, point.price)] : []),
    ...point.warnings.map((text) => make("p", { class: "warn" }, text)));
  const parts = pieces(point.joules), total = parts.reduce((sum, piece) => sum + piece.value, 0);
  const energy = make("div", { class: "card" }, make("h3", {}, `Energy of a token: ${digits(total)} mJ in the middle`), bar("all", parts, `${digits(total)} mJ`, total), ...parts.filter((piece) => piece.value > 0).map((piece) => bar(piece.name, [piece], `${digits(piece.value)} mJ`, total)));
  const most = Math.max(...Object.values(point.seconds).flat());
  const time = make("div", { class: "card" }, make("h3", {}, "Time of a token: the slower of both, layer by layer"), ...Object.entries(point.seconds).map(([name, [low, high]]) => range(name, 0, high, low, 0, most, `${digits(1e3 * low)}${low === high ? "" : `\u2026${digits(1e3 * high)}`} ms`)));
  const lowest = Math.min(...point.swings.map((one) => one.low)), highest = Math.max(...point.swings.map((one) => one.high));
  const swings = make("div", { class: "card" }, make("h3", {}, "Energy if one price is wrong, mJ"), ...point.swings.map((one) => range(one.price, one.low, one.high, (one.low + one.high) / 2, lowest, highest, `${digits(1e3 * one.low)}\u2026${digits(1e3 * one.high)}`)));
  $("detail").replaceChildren(make("div", { class: "cards" }, ...[figures, total ? energy : null, time, total ? swings : null].filter(Boolean)));
}
function copy(text, button) {
  const done = () => { button.textContent = "Copied"; };
  if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(done, () => select());
  else select();
  function select() { const span = document.createRange(); span.selectNodeContents($("command")); getSelection().removeAllRanges(); getSelection().addRange(span); button.textContent = "Selected: press Ctrl+C"; }
}

// ---- tables ----
function frontTable() {
  const names = Object.keys(data.metrics).filter((name) => data.points.some((point) => point.figures[name]));
  const columns = [["point", (p) => p.number], ["format", (p) => p.candidate.format], ["circuit", (p) => circuit(p.candidate)], ["place", (p) => p.place], ...names.map((name) => [label(name), (p) => p.figures[name] ? middle(p.figures[name]) : Infinity, name])];
  const points = [...data.points];
  if (state.sort !== null) points.sort((a, b) => { const [u, v] = [columns[state.sort][1](a), columns[state.sort][1](b)]; return (u < v ? -1 : u > v ? 1 : 0) * (state.down ? -1 : 1); });
  const head = make("tr", {}, ...columns.map(([title, , name], n) => make("th", { scope: "col", class: name ? null : "words", "aria-sort": state.sort === n ? (state.down ? "descending" : "ascending") : "none" }, make("button", { type: "button", onclick: () => { state.down = state.sort === n && !state.down; state.sort = n; frontTable(); refresh(); $("front").querySelectorAll("th button")[n].focus(); } }, title))));
  const rows = points.map((point) => make("tr", { class: "pick", tabindex: 0, "data-point": point.number, "aria-selected": "false", onclick: () => choose(point.number), onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(point.number); } } },
    ...columns.map(([, value, name]) => name ? make("td", {}, ...(point.figures[name] ? [`${digits(middle(point.figures[name]))} `, make("span", { title: point.figures[name].evidence }, SYMBOL[point.figures[name].evidence])] : ["\u2013"])) : make("td", { class: "words" }, String(value(point))))));
  $("front").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}
function energyBars() {
  const most = Math.max(...data.points.map((point) => pieces(point.joules).reduce((sum, piece) => sum + piece.value, 0)), 0);
  $("energy-section").hidden = !most;
  $("parts").replaceChildren(...data.components.map((name, n) => make("li", {}, make("span", { class: "swatch", style: `background:var(${COLORS[n % COLORS.length]})` }), name)));
  $("energy").replaceChildren(...data.points.slice(0, 40).map((point) => { const parts = pieces(point.joules), total = parts.reduce((sum, piece) => sum + piece.value, 0); return bar(`${point.number}: ${point.candidate.format}, ${point.candidate.kind}`, parts, `${digits(total)} mJ`, most); }));
}
function table(node, heads, rows) {
  node.replaceChildren(make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, String(cell)))))));
}
function rest() {
  const known = data.points.filter((point) => point.figures.luts);
  const share = (point, one) => {
    if (point.candidate.board && point.candidate.board !== one.name) return "\u2013";
    const part = 100 * middle(point.figures.luts) / one.luts;
    return part > 100 ? `${part.toFixed(0)} %: too large` : `${part.toFixed(0)} %`;
  };
  $("boards-section").hidden = !known.length;
  table($("boards"), ["point", "LUTs", ...data.boards.map((one) => `${one.name} (${one.luts.toLocaleString("en")})`)], known.map((point) => [`${point.number}: ${circuit(point.candidate)} ${SYMBOL[point.figures.luts.evidence]}`, digits(middle(point.figures.luts)), ...data.boards.map((one) => share(point, one))]));
  const prices = Object.entries(data.sensitivity);
  $("prices-section").hidden = !prices.length;
  table($("prices"), ["price", "on the front", "stay if lowest", "stay if highest"], prices.map(([name, counts]) => [name, ...counts]));
  $("evidence").replaceChildren(...Object.entries(data.evidence).flatMap(([name, text]) => [make("dt", {}, mark(name)), make("dd", {}, text)]));
  const out = Object.entries(data.out);
  $("out-section").hidden = !out.length;
  table($("out"), ["candidate", "why"], out);
  $("failed-section").hidden = !data.failed.length;
  $("failed").replaceChildren(...data.failed.map((one) => make("details", {}, make("summary", {}, `${one.stage} of ${one.what}: ${one.reason}`), make("pre", {}, one.log))));
  $("made").textContent = [data.by.command, `commit ${data.by.commit}, Python ${data.by.python}`, `candidates by ${data.sampler}`, ...Object.entries(data.refused).map(([text, count]) => `${count} combinations are no circuit: ${text}`)].join("\n");
  $("space").textContent = JSON.stringify(data.space, null, 1);
  const count = data.counts;
  $("summary").textContent = `${count.analytic} candidates priced, ${count.evaluated} formats measured, ${count.synthesized} elements synthesized, ${count.routed} routed, ${count.failed} failed; ${count.front} that no other beats${data.undecided ? `, ${data.undecided} more may be once all their objectives are known` : ""}.`;
  $("notes").replaceChildren(...data.notes.map((text) => make("p", { class: "hint" }, text)));
  const shapes = Object.entries({ popcount: "popcount", addsub: "addsub", lut: "lut" }).map(([name, text]) => make("li", {}, draw("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, fill(SHAPES[name](6, 6, 4.5), { class: "mark" }, [])), text));
  $("legend").replaceChildren(...shapes, ...[["gpu", "GPU, measured"], ["gpu roofline", "GPU, float model by its roofline"]].map(([name, text]) => make("li", {}, draw("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, fill(SHAPES.gpu(6, 6, 4), { class: name }, [])), text)), make("li", {}, draw("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, draw("circle", { class: "cloud", cx: 6, cy: 6, r: 3 })), "other candidates"));
}
function theme() {
  const dark = () => document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const say = () => { $("theme").textContent = dark() ? "Light" : "Dark"; $("theme").setAttribute("aria-pressed", String(dark())); };
  $("theme").addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; say(); });
  say();
}
$("charts").replaceChildren(...data.charts.map(chart));
theme(); frontTable(); energyBars(); rest(); refresh();
document.documentElement.dataset.ready = "yes";
