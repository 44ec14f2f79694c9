// The live page: takes events, keeps the newest of each part, and writes down those that have changed.

import { bars, curves, legend, make, table } from "./charts.js";
import { phases, record } from "./demo.js";

const at = (id) => document.getElementById(id);
const state = {};
const chosen = { who: null, job: null, measure: "payload_bytes", by: "layer", pooled: false };
const changed = new Set();

/** Ten and more have no digit after the point, below one there are two. */
const short = (x) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x >= 0.095 || x === 0 ? x.toFixed(2) : x.toPrecision(2));
const count = (x) => Math.round(x).toLocaleString("en").replaceAll(",", " ");
const bytes = (x) => {
  const unit = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (x >= 999.5 && i < 4) [x, i] = [x / 1000, i + 1];
  return `${i ? short(x) : x} ${unit[i]}`;
};
const seconds = (x) => {
  if (x < 60) return `${short(x)} s`;
  const minutes = Math.round(x / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.round(minutes / 1440)} days`;
};
const percent = (x) => `${(100 * x).toFixed(2)}%`;
const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });
const moment = (time) => new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short", hour12: false });
const empty = (text) => make("p", { class: "empty" }, text);

/** The parts of the party that is looked at, and its job. */
const parts = () => state[chosen.who] ?? {};
const job = () => {
  const all = parts().jobs?.shown ?? [];
  return all.find((one) => one.hash === chosen.job) ?? all[0];
};

const words = (state) => state.is + (state.why ? `: ${state.why}` : "") + (state.by ? ` by ${state.by}` : "");

function showJob() {
  const all = parts().jobs ?? { count: 0, shown: [] }, one = job(), select = at("job");
  at("job-title").textContent = one ? one.name : "No job yet";
  at("which").hidden = all.shown.length < 2;
  const options = all.shown.map((j) => `${j.hash}\n${j.name}, ${j.state.is}`);
  if (select.dataset.options !== options.join("\n\n")) {
    select.dataset.options = options.join("\n\n");
    select.replaceChildren(...all.shown.map((j) => make("option", { value: j.hash }, `${j.name} (${j.hash.slice(0, 12)}), ${j.state.is}`)));
  }
  if (one) select.value = one.hash;
  const more = all.count > all.shown.length ? ` ${all.count - all.shown.length} more jobs are not shown.` : "";
  at("job-about").textContent = one
    ? `${words(one.state)} · ${one.me ?? "no party of it"} · ${one.suite} · ${one.network} · ${one.hash.slice(0, 16)}`
    : "A job appears here when a member of it proposes it.";
  const [done, kept, steps] = one?.steps ?? [0, 0, 0];
  const bar = at("bar");
  bar.hidden = !steps;
  bar.setAttribute("aria-valuemax", steps || 1);
  bar.setAttribute("aria-valuenow", done);
  bar.firstElementChild.style.width = `${steps ? (100 * done) / steps : 0}%`;
  const rate = one?.steps_per_second, last = one?.last, memory = parts().memory;
  const spent = one && parts().cost?.[one.hash];
  const tiles = one ? [
    ["Step", count(done), steps ? `of ${count(steps)}, ${count(kept)} in a checkpoint` : ""],
    ["Pace", rate ? short(rate) : "–", rate ? "steps/s" : ""],
    ["Time left", rate ? seconds((steps - done) / rate) : done && done === steps ? "none" : "–", ""],
    ...(last && last.loss !== null ? [["Loss", last.loss.toFixed(4), `epoch ${last.epoch}`]] : []),
    ...(last && last.metric !== null ? [[one.metric ?? "metric", figure(one)(last.metric), `epoch ${last.epoch}`]] : []),
    ["Sent", spent ? bytes(spent.sent.reduce((a, b) => a + b)) : "–", "in this session"],
    ["Memory", memory?.now ? bytes(memory.now) : "–", memory?.peak ? `at most ${bytes(memory.peak)}` : ""],
  ] : [];
  at("tiles").replaceChildren(...tiles.map(([name, value, more]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value, more ? make("small", {}, more) : null))));
  const told = one?.told ?? [];
  at("job-figures").hidden = !told.length;
  at("job-figures").textContent = told.join("\n");
  const notes = one ? [one.missing.length ? `Waits for ${one.missing.join(" and ")}.` : "", ...one.refused, ...one.not_opened] : [];
  at("job-note").textContent = notes.filter(Boolean).join(" ") + more;
  document.title = one && steps ? `${Math.floor((100 * done) / steps)}% ${one.name} – Trefoil` : "Trefoil";
}

const figure = (one) => (one.metric === "accuracy" ? percent : (x) => x.toFixed(4));

function showCurves() {
  const one = job(), drawn = (one && parts().curves?.[one.hash]) ?? { epochs: [], pace: [] };
  const known = drawn.epochs.filter((e) => !e.lost);
  const of = (key) => known.filter((e) => e[key] !== null).map((e) => [e.epoch, e[key]]);
  const clear = state.demo?.clear ?? [], charts = [];
  const add = (title, key, column, show, options) => {
    const points = of(key);
    if (!points.length) return;
    const lines = [{ name: "shares", colour: "--c0", points }];
    if (clear.length) lines.push({ name: "clear", colour: "--c3", dashed: true, points: clear.map((e) => [e[0], e[column]]) });
    charts.push(curves({ title, lines, show, x: "epoch", tall: true, ...options }));
  };
  if (one) {
    add("loss", "loss", 1, (x) => x.toFixed(x < 10 ? 3 : 0), { floor: 0 });
    add(one.metric ?? "metric", "metric", 2, one.metric === "accuracy" ? (x) => `${+(100 * x).toFixed(1)}%` : (x) => x.toFixed(3), {});
  }
  if (one?.me === "P2") charts.push(empty("P2 is shown no loss and no other figure: they are opened to P0 and P1."));
  else if (!charts.length) charts.push(empty("Curves begin with the first epoch's figures, where the job opens any."));
  at("curves").replaceChildren(...charts);
  const pace = drawn.pace.map(([step, time]) => [step, 1e3 * time]);
  at("pace").replaceChildren(...(pace.length > 1 ? [curves({ title: "milliseconds of a step", lines: [{ name: "", colour: "--c1", points: pace }], show: (x) => x.toFixed(x < 9.5 ? 1 : 0), x: "step", floor: 0 })] : []));
}

/** Rows by layer or by protocol, cut by the other; the rest of many in one. */
function grouped(lines, by, measure) {
  const other = by === "layer" ? "label" : "layer", sums = new Map(), pieces = new Map();
  for (const line of lines) {
    const value = line[measure];
    if (!value) continue;
    const row = sums.get(line[by]) ?? new Map();
    row.set(line[other], (row.get(line[other]) ?? 0) + value);
    sums.set(line[by], row);
    pieces.set(line[other], (pieces.get(line[other]) ?? 0) + value);
  }
  const ranked = [...pieces].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const colour = new Map(ranked.map((name, i) => [name, Math.min(i, 7)]));
  const total = (row) => [...row.values()].reduce((a, b) => a + b, 0);
  const rows = [...sums].map(([name, row]) => ({ name: name || "between layers", total: total(row), pieces: ranked.filter((p) => row.has(p)).map((p) => [p || "between layers", row.get(p), colour.get(p)]) }));
  rows.sort((a, b) => b.total - a.total);
  const few = rows.slice(0, 10), rest = rows.slice(10);
  if (rest.length) few.push({ name: `${rest.length} more`, total: rest.reduce((a, row) => a + row.total, 0), pieces: [["together", rest.reduce((a, row) => a + row.total, 0), 7]] });
  const key = ranked.slice(0, 7).map((name, i) => [name || "between layers", i]);
  if (ranked.length > 7) key.push([`${ranked.length - 7} others`, 7]);
  return { rows: few, key };
}

function showCost() {
  const one = job(), spent = one && parts().cost?.[one.hash];
  const show = { payload_bytes: bytes, rounds: count, seconds }[chosen.measure];
  const { rows, key } = grouped(spent?.lines ?? [], chosen.by, chosen.measure);
  if (!rows.length) {
    at("cost").replaceChildren(empty(spent && one.me === "P2" ? "None: P2 works ahead of the others and waits for nobody." : "Nothing yet in this session."));
  } else {
    at("cost").replaceChildren(bars(rows, show), legend(key));
  }
  const notes = { payload_bytes: "sent by this party in this session, before headers and TLS", rounds: "links of the longest chain of messages at this party", seconds: "spent sending and waiting at this party" };
  at("cost-note").textContent = rows.length ? `${notes[chosen.measure]}; evaluation included.` : "";
}

function showLinks() {
  const links = parts().links ?? [], one = job(), spent = one && parts().cost?.[one.hash];
  if (!links.length) return at("links").replaceChildren(empty("No approved job or service names other parties yet."));
  const rows = links.map(({ name, address, asked }) => {
    const peer = Number(name[1]), took = asked?.milliseconds;
    const answer = took !== null && took !== undefined ? make("span", { class: "good" }, `${short(took)} ms`)
      : asked ? make("span", { class: "bad" }, asked.why) : "not asked yet";
    return [make("span", { class: `p${peer}` }, name), make("code", {}, address), answer, spent ? `${bytes(spent.sent[peer])} (${bytes(spent.wire[peer])})` : "–"];
  });
  at("links").replaceChildren(table(["party", "address", "answers within", "sent to it (on the wire)"], rows));
  if (spent?.lanes) {
    const lanes = spent.lanes.map((sent, lane) => `lane ${lane} ${bytes(sent.reduce((sum, n) => sum + n, 0))}`);
    at("links").append(empty(`Sent by all lanes of this party together: ${lanes.join(", ")}.`));
  }
  const shaped = parts().party?.links;
  if (shaped) at("links").append(empty(`Sessions' links are slowed down to ${shaped}; this latency is the link's own.`));
}

function showMemory() {
  const memory = parts().memory;
  if (!memory?.points.length) return at("memory").replaceChildren(empty("The system does not tell."));
  const begun = memory.points[0][0];
  const points = memory.points.map(([t, b]) => [Math.round((t - begun) / 1000), b / 1e6]);
  at("memory").replaceChildren(curves({ title: "resident, in MB", lines: [{ name: "", colour: "--c4", points }], show: (x) => x.toFixed(0), x: "second", floor: 0 }));
}

function showApprovals() {
  const one = job();
  if (!one) return at("approvals").replaceChildren(empty("No job."));
  const rows = one.approvals.map(({ who, by, signed }) => [who, make("code", {}, by.slice(0, 12)),
    signed ? make("span", { class: "good" }, `${moment(1000 * signed)}`) : who.startsWith("model owner") ? "when it fetches" : make("span", { class: "bad" }, "not yet")]);
  at("approvals").replaceChildren(table(["who", "fingerprint", "signed"], rows));
  if (one.more_approvals) at("approvals").append(empty(`${one.more_approvals} more are not shown.`));
}

function showAudit() {
  const lines = [...(parts().audit ?? [])].reverse().slice(0, 40);
  const text = (value) => (typeof value === "string" ? (/^[0-9a-f]{32,}$/.test(value) ? value.slice(0, 12) : value) : JSON.stringify(value));
  const rest = (event) => Object.entries(event).filter(([key]) => !["what", "certificate", "signature"].includes(key)).map(([key, value]) => `${key} ${text(value)}`).join(", ");
  at("audit").replaceChildren(...lines.map(({ time, event }) =>
    make("li", {}, make("time", { datetime: time }, clock(time)), make("div", {}, text(event.what ?? "event"), make("small", {}, rest(event))))));
}

function showServices() {
  const all = parts().services?.shown ?? [];
  if (!all.length) return at("services").replaceChildren(empty("None. A trained model may answer from its shares: trefoil service."));
  const rows = all.map((s) => [s.name, s.state + (s.waiting_for ? `: ${s.waiting_for}` : ""), s.approved.join(", ") || "nobody", `${count(s.answered)} answered, ${count(s.refused)} refused, ${count(s.waiting)} waiting`, `${count(s.records)} of ${count(s.limit)}`, s.until]);
  at("services").replaceChildren(table(["service", "state", "approved by", "questions", "records", "until"], rows));
}

function showParty() {
  const party = parts().party, demo = state.demo;
  const own = party ? `party at ${party.address} · ${party.fingerprint.slice(0, 16)} · ${party.version}` : "";
  at("about").textContent = demo ? demo.about : own + (party?.stopping ? " · stopping" : "") + (party?.insecure ? " · INSECURE options" : "");
}

function showDemo() {
  const demo = state.demo ?? {};
  at("demo").hidden = !demo.record;
  at("phases").hidden = !demo.phase;
  if (demo.record) {
    at("pool").textContent = chosen.pooled ? "Each on its own" : `Pool ${demo.record.pool.by.join(" and ")}`;
    at("pool").setAttribute("aria-pressed", chosen.pooled);
    record(at("record"), at("record-note"), demo.record, chosen.pooled);
  }
  if (demo.phase) phases(at("phases").querySelector("ol"), demo.phase);
  at("results").textContent = demo.results ?? "";
}

const showers = {
  about: [showParty], record: [showDemo], phase: [showDemo], results: [showDemo], clear: [showCurves],
  party: [showParty, showLinks], jobs: [showJob, showCurves, showCost, showApprovals], curves: [showCurves], cost: [showCost, showJob, showLinks],
  services: [showServices], links: [showLinks], memory: [showMemory, showJob], audit: [showAudit],
};

function render() {
  const due = new Set([...changed].flatMap((part) => showers[part] ?? []));
  changed.clear();
  due.forEach((show) => show());
}

/** All of it, as after a choice. */
function renderAll() {
  Object.keys(showers).forEach((part) => changed.add(part));
  render();
}

function take(news) {
  const first = !chosen.who;
  for (const [of, part, value] of news) {
    (state[of] ??= {})[part] = value;
    if (first && of !== "demo") chosen.who ??= of;
    if (of === "demo" || of === chosen.who) changed.add(part);
  }
  at("who").hidden = !state.P0;
  requestAnimationFrame(render);
}

for (const name of ["who", "measure", "by"]) {
  for (const input of document.querySelectorAll(`input[name=${name}]`)) {
    // What a browser remembers of an earlier visit is no choice.
    input.checked = input.defaultChecked;
    input.addEventListener("change", () => { chosen[name] = input.value; renderAll(); });
  }
}
at("job").addEventListener("change", () => { chosen.job = at("job").value; renderAll(); });
at("pool").addEventListener("click", () => { chosen.pooled = !chosen.pooled; showDemo(); });

const live = at("live");
const events = new EventSource("/events");
events.onopen = () => { live.className = "on"; live.textContent = "live"; };
events.onmessage = (event) => take(JSON.parse(event.data));
events.onerror = () => {
  if (live.className !== "off") live.textContent = `no connection; what is shown is from ${clock(Date.now())}`;
  live.className = "off";
};
