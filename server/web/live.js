"use strict";
/* The live page.  Once a second: /profile as JSON for the table and the flame
 * graph, /metrics for the curves.  Nothing is asked while the page is hidden or
 * paused; a failed round is shown and the next one tried. */

const ROUND_MS = 1000;
const PATIENCE_MS = 10000; /* for one answer; then it is said that none comes */
const CURVE_SECONDS = 120;
const ROW_PX = 22;
const $ = (id) => document.getElementById(id);

/* ---- numbers for people ---- */

function count(n) {
  return Math.round(n).toLocaleString("en-US");
}

function span(ns) {
  const a = Math.abs(ns);
  if (a < 1) return "0";
  if (a < 1e3) return ns.toFixed(0) + " ns";
  if (a < 1e6) return (ns / 1e3).toPrecision(3) + " µs";
  if (a < 1e9) return (ns / 1e6).toPrecision(3) + " ms";
  const digits = a < 1e11 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 };
  return (ns / 1e9).toLocaleString("en-US", digits) + " s";
}

/* ---- the table ---- */

const COLUMNS = [
  { key: "calls", title: "calls", help: "entries; total/primitive when recursive",
    value: (f) => f.calls, text: (f) => f.calls === f.primitive ? count(f.calls) : `${count(f.calls)}/${count(f.primitive)}` },
  { key: "self", title: "self", help: "running in the function itself", value: (f) => f.self, text: (f) => span(f.self), share: "share" },
  { key: "selfper", title: "per call", help: "self divided by calls",
    value: (f) => f.calls ? f.self / f.calls : 0, text: (f) => f.calls ? span(f.self / f.calls) : "" },
  { key: "total", title: "cumulative", help: "running in it and its callees", value: (f) => f.total, text: (f) => span(f.total), share: "share" },
  { key: "totalper", title: "per call", help: "cumulative divided by primitive calls",
    value: (f) => f.primitive ? f.total / f.primitive : 0, text: (f) => f.primitive ? span(f.total / f.primitive) : "" },
  { key: "wait", title: "waiting", help: "parked: for a socket, a timer, another task", value: (f) => f.wait, text: (f) => span(f.wait), share: "wait" },
  { key: "ready", title: "ready", help: "woken, but waiting for its turn", value: (f) => f.ready, text: (f) => span(f.ready) },
  { key: "slice", title: "longest slice", help: "longest stretch without giving way; with <= it was before the span shown, and no longer one came since",
    value: (f) => f.slice, text: (f) => (f.slice_recent || !f.slice ? "" : "\u2264 ") + span(f.slice) },
  { key: "in_flight", title: "in flight", help: "calls that are open now", value: (f) => f.in_flight, text: (f) => count(f.in_flight) },
  { key: "label", title: "function", help: "file:line(function); {...} is a call into the system or a library", value: (f) => f.label },
];

const state = {
  sort: "total", ascending: false, report: null, rows: new Map(), calls: new Map(),
  zoom: [], paused: false, recording: true, history: [], busy: false, last: null,
};

function buildHead() {
  const row = document.querySelector("#table thead tr");
  for (const column of COLUMNS) {
    const th = document.createElement("th");
    const button = document.createElement("button");
    th.scope = "col";
    button.type = "button";
    button.textContent = column.title;
    button.title = column.help;
    button.addEventListener("click", () => {
      state.ascending = state.sort === column.key ? !state.ascending : column.key === "label";
      state.sort = column.key;
      drawTable();
    });
    th.append(button);
    row.append(th);
    column.head = th;
  }
}

function matcher() {
  const text = $("filter").value;
  $("filter").classList.remove("bad");
  if (!text) return () => true;
  try {
    const pattern = new RegExp(text, "i");
    return (label) => pattern.test(label);
  } catch {
    $("filter").classList.add("bad");
    const low = text.toLowerCase();
    return (label) => label.toLowerCase().includes(low);
  }
}

function makeRow(label) {
  const tr = document.createElement("tr");
  for (let i = 0; i < COLUMNS.length; i++) tr.append(document.createElement("td"));
  const found = /^(.*?)\(([^()]*)\)$/.exec(label);
  const cell = tr.lastChild;
  cell.append(found ? found[2] : label);
  if (found) {
    const where = document.createElement("span");
    where.className = "where";
    where.textContent = "  " + found[1];
    cell.append(where);
  }
  return tr;
}

function drawRow(f, most) {
  let tr = state.rows.get(f.label);
  if (!tr) state.rows.set(f.label, tr = makeRow(f.label));
  COLUMNS.forEach((column, i) => {
    if (!column.text) return;
    const cell = tr.children[i];
    cell.textContent = column.text(f);
    if (column.share) {
      cell.className = column.share;
      cell.style.setProperty("--part", `${most[column.key] > 0 ? Math.max(0, 100 * column.value(f) / most[column.key]) : 0}%`);
    }
  });
  tr.classList.toggle("moved", state.calls.has(f.label) && state.calls.get(f.label) !== f.calls);
  return tr;
}

function drawTable() {
  if (!state.report) return;
  const matches = matcher();
  const all = state.report.functions.filter((f) => f.shown);
  const functions = all.filter((f) => matches(f.label));
  const column = COLUMNS.find((c) => c.key === state.sort);
  const sign = state.ascending ? 1 : -1;
  functions.sort((a, b) => {
    const x = column.value(a), y = column.value(b);
    return x === y ? (a.label < b.label ? -1 : 1) : (x < y ? -sign : sign);
  });
  for (const c of COLUMNS) {
    if (c.key === state.sort) c.head.setAttribute("aria-sort", state.ascending ? "ascending" : "descending");
    else c.head.removeAttribute("aria-sort");
  }
  const most = {};
  for (const c of COLUMNS.filter((x) => x.share)) most[c.key] = Math.max(...functions.map(c.value), 0);
  document.querySelector("#table tbody").replaceChildren(...functions.map((f) => drawRow(f, most)));
  const calls = all.reduce((sum, f) => sum + f.calls, 0);
  $("note").textContent = `${functions.length} of ${all.length} functions; ${count(calls)} calls, ${span(state.report.run)} running` +
    (state.report.conserved ? "; the sum of self times is the sum of run slices, exactly" : "; some workers were read as they ran");
}

/* ---- the flame graph, upside down: callers above callees ---- */

const MEASURES = {
  total: { of: (n) => n.total, text: span },
  waiting: { of: (n) => n.waiting, text: span },
  count: { of: (n) => n.count, text: count },
};

/* Waiting and calls of a path with all below it; the server sums running time only. */
function addUp(node) {
  node.waiting = Math.max(0, node.wait);
  node.count = Math.max(0, node.calls);
  for (const child of node.children) {
    addUp(child);
    node.waiting += child.waiting;
    node.count += child.count;
  }
}

function nameOf(node) {
  if (node.f === null) return "all";
  const label = state.report.functions[node.f].label;
  const found = /\(([^()]*)\)$/.exec(label);
  return found ? found[1] : label;
}

function colourOf(name) {
  let hash = 7;
  for (const c of name) hash = (hash * 31 + c.charCodeAt(0)) % 1009;
  return name.startsWith("{") ? `hsl(${25 + hash % 25} 75% ${72 + hash % 8}%)` : `hsl(${185 + hash % 45} 55% ${70 + hash % 10}%)`;
}

function findZoom(root) {
  let node = root, depth = 0;
  for (const name of state.zoom) {
    const next = node.children.find((c) => nameOf(c) === name);
    if (!next) break;
    node = next;
    depth++;
  }
  state.zoom.length = depth;
  return node;
}

function frame(node, path, left, width, level, measure) {
  const box = document.createElement("div");
  const name = nameOf(node);
  box.textContent = name;
  box.style.left = `${left}%`;
  box.style.width = `${width}%`;
  box.style.top = `${level * ROW_PX}px`;
  box.style.background = colourOf(name);
  box.classList.toggle("dim", path.length < state.zoom.length);
  box.addEventListener("click", () => {
    state.zoom = path.slice();
    drawIcicle();
  });
  box.addEventListener("mousemove", (event) => showTip(event, node, measure));
  box.addEventListener("mouseleave", () => { $("tip").hidden = true; });
  return box;
}

function showTip(event, node, measure) {
  const tip = $("tip");
  const whole = measure.of(state.report.tree);
  const part = whole > 0 ? ` (${(100 * measure.of(node) / whole).toFixed(1)} %)` : "";
  const label = node.f === null ? "all" : state.report.functions[node.f].label;
  tip.textContent = `${label}\n${measure.text(measure.of(node))}${part}\n${count(node.calls)} calls, self ${span(node.self)}, ` +
    `with callees ${span(node.total)}\nwaiting ${span(node.wait)}, ready ${span(node.ready)}, in flight ${node.in_flight}`;
  tip.hidden = false;
  tip.style.left = `${Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8)}px`;
}

function drawIcicle() {
  if (!state.report) return;
  const measure = MEASURES[$("measure").value];
  const root = state.report.tree;
  const top = findZoom(root);
  const boxes = [];
  let levels = 0;
  /* the way to the zoomed frame, at full width */
  let way = root;
  for (let depth = 0; depth < state.zoom.length; depth++) {
    boxes.push(frame(way, state.zoom.slice(0, depth), 0, 100, depth, measure));
    way = way.children.find((c) => nameOf(c) === state.zoom[depth]);
  }
  const place = (node, path, left, width, level) => {
    levels = Math.max(levels, level + 1);
    boxes.push(frame(node, path, left, width, level, measure));
    const whole = measure.of(node);
    let at = left;
    for (const child of [...node.children].sort((a, b) => measure.of(b) - measure.of(a))) {
      const part = whole > 0 ? width * Math.max(0, measure.of(child)) / whole : 0;
      if (part < 0.08) continue; /* under a pixel */
      place(child, [...path, nameOf(child)], at, part, level + 1);
      at += part;
    }
  };
  place(top, state.zoom.slice(), 0, 100, state.zoom.length);
  const icicle = $("icicle");
  icicle.style.height = `${Math.max(levels, 4) * ROW_PX}px`;
  icicle.replaceChildren(...boxes);
}

/* ---- the curves ---- */

function parseMetrics(text) {
  const m = { requests: 0, buckets: new Map(), open: 0 };
  for (const line of text.split("\n")) {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) continue;
    const [, name, labels, value] = found;
    const ours = labels && /route="\/(profile|metrics|debug)/.test(labels); /* this page's own */
    if (name === "domaind_connections_open") m.open = Number(value);
    else if (name === "domaind_requests_total" && !ours) m.requests += Number(value);
    else if (name === "domaind_request_duration_seconds_bucket" && !ours) {
      const le = /le="([^"]+)"/.exec(labels)[1];
      const bound = le === "+Inf" ? Infinity : Number(le);
      m.buckets.set(bound, (m.buckets.get(bound) || 0) + Number(value));
    }
  }
  return m;
}

/* The quantile between two readings, linear inside its bucket, in ms. */
function quantile(now, before, q) {
  const bounds = [...now.buckets.keys()].sort((a, b) => a - b);
  const grown = bounds.map((b) => now.buckets.get(b) - (before.buckets.get(b) || 0));
  const all = grown.length ? grown[grown.length - 1] : 0;
  if (all <= 0) return null;
  const rank = q * all;
  for (let i = 0; i < bounds.length; i++) {
    if (grown[i] < rank) continue;
    const low = i ? bounds[i - 1] : 0, below = i ? grown[i - 1] : 0;
    const high = bounds[i] === Infinity ? low : bounds[i];
    return 1e3 * (low + (high - low) * (grown[i] === below ? 1 : (rank - below) / (grown[i] - below)));
  }
  return null;
}

function makeChart(id, lines) {
  const style = getComputedStyle(document.documentElement);
  const ink = (name) => style.getPropertyValue(name).trim();
  const grid = { color: ink("--line"), borderColor: ink("--line") };
  return new Chart($(id), {
    type: "line",
    data: {
      labels: [],
      datasets: lines.map(([label, colour]) => ({
        label, data: [], borderColor: ink(colour), backgroundColor: ink(colour),
        borderWidth: 1.5, pointRadius: 0, tension: 0.25, spanGaps: false,
      })),
    },
    options: {
      animation: false, responsive: true, maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      scales: {
        x: { ticks: { maxTicksLimit: 6, maxRotation: 0, color: ink("--dim") }, grid },
        y: { beginAtZero: true, ticks: { maxTicksLimit: 5, color: ink("--dim") }, grid },
      },
      plugins: { legend: { display: lines.length > 1, labels: { boxWidth: 12, color: ink("--dim") } } },
    },
  });
}

let rateChart, latencyChart;

/* Also again, in the colours of another scheme. */
function makeCharts() {
  for (const chart of [rateChart, latencyChart]) if (chart) chart.destroy();
  rateChart = makeChart("rate-chart", [["requests/s", "--accent"]]);
  latencyChart = makeChart("latency-chart", [["p50", "--accent"], ["p99", "--warm"]]);
  drawCurves();
}

function drawCurves() {
  const h = state.history;
  const labels = h.map((p) => p.at.toLocaleTimeString("en-GB"));
  rateChart.data.labels = labels;
  rateChart.data.datasets[0].data = h.map((p) => p.rate);
  latencyChart.data.labels = labels;
  latencyChart.data.datasets[0].data = h.map((p) => p.p50);
  latencyChart.data.datasets[1].data = h.map((p) => p.p99);
  rateChart.update();
  latencyChart.update();
}

function takeMetrics(text) {
  const now = { ...parseMetrics(text), at: performance.now() };
  const before = state.last;
  state.last = now;
  $("connections").textContent = count(now.open);
  if (!before || now.requests < before.requests) return;
  const point = {
    at: new Date(),
    rate: (now.requests - before.requests) / ((now.at - before.at) / 1e3),
    p50: quantile(now, before, 0.5),
    p99: quantile(now, before, 0.99),
  };
  state.history.push(point);
  if (state.history.length > CURVE_SECONDS) state.history.shift();
  $("rate").textContent = count(point.rate);
  $("latency").textContent = point.p50 === null ? "-" : `${point.p50.toPrecision(2)} / ${point.p99.toPrecision(2)} ms`;
  drawCurves();
}

/* ---- rounds ---- */

const CHOICES = ["window", "endpoint", "worker"];

function query(format) {
  const q = new URLSearchParams({ format });
  for (const id of CHOICES) if ($(id).value) q.set(id, $(id).value);
  return q;
}

/* The page's own address says what is chosen, so that it can be kept and passed on,
 * and /profile?window=5s&endpoint=/domain means the same to a browser as to curl. */
function readAddress() {
  const q = new URLSearchParams(location.search);
  for (const id of CHOICES) {
    const value = q.get(id);
    if (value === null) continue;
    if (![...$(id).options].some((o) => o.value === value)) $(id).append(new Option(value, value));
    $(id).value = value;
  }
  $("filter").value = q.get("filter") || "";
}

function writeAddress() {
  const q = new URLSearchParams(location.search);
  for (const id of [...CHOICES, "filter"]) {
    if ($(id).value || id === "window") q.set(id, $(id).value);
    else q.delete(id);
  }
  history.replaceState(null, "", target(q));
}

/* The server does not turn + into a space. */
function target(q) {
  return "/profile?" + q.toString().replace(/\+/g, "%20");
}

/* What is chosen stays, also when the server has it no more. */
function fillChoice(id, choices) {
  const select = $(id), chosen = select.value;
  if (chosen && !choices.some(([value]) => String(value) === chosen)) choices.push([chosen, chosen]);
  const wanted = [["", "all"], ...choices];
  const isSame = wanted.length === select.options.length &&
    wanted.every(([value, text], i) => select.options[i].value === String(value) && select.options[i].text === text);
  if (isSame) return;
  select.replaceChildren(...wanted.map(([value, text]) => new Option(text, value)));
  select.value = chosen;
}

function takeReport(report) {
  state.calls = new Map(state.report ? state.report.functions.map((f) => [f.label, f.calls]) : []);
  state.report = report;
  addUp(report.tree);
  state.recording = report.recording;
  $("mode").textContent = report.mode || "-";
  $("workers").textContent = count(report.workers.filter((w) => w.open).length);
  $("busy").textContent = report.span > 0 ? (report.run / report.span).toFixed(2) + " CPU" : span(report.run);
  $("overhead").textContent = report.run > 0 ? (100 * report.overhead.total / report.run).toFixed(2) + " %" : "-";
  $("record").textContent = report.recording ? "Stop recording" : "Start recording";
  $("moment").textContent = `snapshot ${report.snapshot}, ${new Date(report.at * 1e3).toLocaleTimeString("en-GB")}`;
  fillChoice("worker", report.workers.filter((w) => w.open).map((w) => [w.worker, `${w.worker} ${w.name}`]));
  fillChoice("endpoint", report.endpoints.map((path) => [path, path]));
  for (const link of document.querySelectorAll("footer a")) {
    const q = query(link.dataset.format);
    q.set("snapshot", report.snapshot);
    link.href = target(q);
  }
  drawTable();
  drawIcicle();
}

/* Where workers are processes: the scoreboard. */
function takeChildren(children) {
  const line = (c) => [c.child, c.pid, c.state, span(c.age_s * 1e9), count(c.connections), count(c.turns), c.request];
  $("children").hidden = children.length === 0;
  document.querySelector("#children tbody").replaceChildren(...children.map((child) => {
    const row = document.createElement("tr");
    for (const text of line(child)) row.insertCell().textContent = text;
    return row;
  }));
}

async function get(what, options) {
  let answer;
  try {
    answer = await fetch(what, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS), ...options });
  } catch (error) {
    throw new Error(`domaind does not answer: ${error.message}`);
  }
  if (answer.ok) return answer;
  let detail = answer.statusText;
  try { detail = (await answer.json()).detail || detail; } catch { /* not a problem document */ }
  throw new Error(`domaind refuses: ${detail}`);
}

function complain(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

/* While the page is paused, another choice shows the moment it stands at. */
async function choose() {
  writeAddress();
  if (!state.paused || !state.report) return round();
  const q = query("json");
  q.set("snapshot", state.report.snapshot);
  try {
    takeReport(await get(target(q)).then((a) => a.json()));
    complain("");
  } catch (error) {
    complain(error.message);
  }
}

async function round() {
  if (state.busy || state.paused || document.hidden) return;
  state.busy = true;
  try {
    const [report, metrics] = await Promise.all([
      get(target(query("json"))).then((a) => a.json()),
      get("/metrics").then((a) => a.text()),
    ]);
    if (state.paused) return; /* since we asked */
    takeMetrics(metrics);
    takeReport(report);
    takeChildren(report.mode === "prefork" ? (await get("/tasks?format=json").then((a) => a.json())).children || [] : []);
    complain("");
  } catch (error) {
    complain(error.message);
  } finally {
    state.busy = false;
  }
}

async function control(verb) {
  try {
    await get(`/profile/${verb}`, { method: "POST" });
  } catch (error) {
    complain(error.message);
  }
  round();
}

function start() {
  buildHead();
  makeCharts();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", makeCharts);
  readAddress();
  for (const id of CHOICES) $(id).addEventListener("change", choose);
  $("filter").addEventListener("input", drawTable);
  $("filter").addEventListener("change", writeAddress);
  $("measure").addEventListener("change", drawIcicle);
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("pause").addEventListener("click", () => {
    state.paused = !state.paused;
    $("pause").setAttribute("aria-pressed", state.paused);
    $("pause").textContent = state.paused ? "Go on" : "Pause";
    round();
  });
  $("record").addEventListener("click", () => control(state.recording ? "stop" : "start"));
  $("reset").addEventListener("click", () => control("reset"));
  document.addEventListener("visibilitychange", round);
  setInterval(round, ROUND_MS);
  round();
}

start();
