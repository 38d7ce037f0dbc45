// The stage view. Talks protocol 1 (docs/websocket.md); no library, no build step.
import { Connection } from "./connection.js";
import { Clock } from "./clock.js";
import { Lists } from "./lists.js";

const $ = (id) => document.getElementById(id);
const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const level = (id, share) => $(id).style.setProperty("--level", Math.min(1, Math.max(0, share || 0)).toFixed(3));
const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const DRUMS = ["kick", "snare", "hihat", "tom", "cymbal"];
const FLASH = 120, MOST_TAGS = 6;

const clock = new Clock();
let values = {}, status = {}, hits = {}, words = {};
const connection = new Connection({
  hello: (m) => { status = m.status; showStatus(); greet(m.methods || []); },
  status: (m) => { status = m.status; showStatus(); },
  values: (m) => { values = m.values; clock.take(values); },
  event: (m) => take(m),
  missed: (m) => log(`${m.events} events were lost on the way here`),
  state: (on, why) => showConnection(on, why),
  gate: () => { if (!$("gate").open) $("gate").showModal(); },
});
const call = (method, params = {}) => connection.call(method, params).catch((e) => say(e.message));
const lists = new Lists(call);

function take(event) {
  const name = `${event.plugin}.${event.output}`;
  if (name === "drums.hit") hits[event.label] = performance.now();
  else if (name === "onset.onset") hits.onset = performance.now();
  else if (name === "key.key" || name === "key.key_change") words.Key = event.label;
  else if (name === "structure.section") words.Section = event.label;
  else if (event.plugin === "structure" && event.label) log(event.label);
  else if (name === "voice.active") words.voice = event.value > 0;
  else if (event.plugin === "host" && event.label) log(event.label);
  else if (name === "host.gap") log(`gap in the sound: ${(1000 * event.value).toFixed(0)} ms`);
  else if (event.plugin === "transport") log(`clock ${event.output}`);
}

function showConnection(on, why) {
  document.body.classList.toggle("offline", !on);
  $("connection").dataset.on = on ? "yes" : "no";
  set($("connection"), on ? "live" : why);
  if (!on) { clock.lose(); values = {}; }
  for (const b of document.querySelectorAll("[data-call]")) b.disabled = !on;
}

let hushed = 0;
function say(text) {
  const box = $("notice");
  set(box, text); box.hidden = false;
  clearTimeout(hushed); hushed = setTimeout(() => { box.hidden = true; }, 6000);
}

function log(text) {
  const item = document.createElement("li");
  item.textContent = `${new Date().toLocaleTimeString()}  ${text}`;
  $("log").prepend(item);
  while ($("log").children.length > 8) $("log").lastChild.remove();
}

// -- once a second -----------------------------------------------------------------------------------------

function showStatus() {
  const input = status.input || {}, transport = status.transport || {};
  const format = input.sample_rate ? ` · ${(input.sample_rate / 1000).toFixed(1)} kHz` : "";
  set($("source"), input.name ? `${input.name}${format} · preset ${status.preset || "?"}${input.connected === false ? " · device lost" : ""}` : "");
  for (const b of document.querySelectorAll("[data-toggle]")) b.setAttribute("aria-pressed", String(Boolean(transport[b.dataset.toggle])));
  const marks = [];
  if (transport.multiplier && transport.multiplier !== 1) marks.push(transport.multiplier > 1 ? `× ${transport.multiplier}` : `÷ ${1 / transport.multiplier}`);
  if (transport.nudge_ms) marks.push(`nudged ${transport.nudge_ms > 0 ? "+" : ""}${transport.nudge_ms.toFixed(0)} ms`);
  if (transport.low_bpm) marks.push(`${transport.low_bpm.toFixed(0)}–${transport.high_bpm.toFixed(0)} BPM`);
  set($("marks"), marks.join(" · "));
  lists.outputs(status.outputs || []);
  lists.plugins(status.plugins || []);
  lists.rules(status.rules || []);
  const presets = $("preset");
  if (document.activeElement !== presets && [...presets.options].some((o) => o.value === status.preset)) presets.value = status.preset;
  lists.host(status, values);
  showCards();
}

/** What this host offers besides: other presets, a recorder. */
async function greet(methods) {
  const found = await connection.call("preset.list", {}).catch(() => []), presets = $("preset");
  presets.replaceChildren(...(found || []).map((name) => new Option(name, name)));
  presets.hidden = !presets.options.length;
  if (status.preset && !found?.includes(status.preset)) presets.prepend(new Option(status.preset, status.preset));
  presets.value = status.preset || "";
  $("record").hidden = $("record-sound").hidden = !methods.includes("record.start");
  if (methods.includes("record.status")) showRecording(await connection.call("record.status", {}).catch(() => ({})));
}

function showRecording(state) {
  $("record").setAttribute("aria-pressed", String(Boolean(state?.recording)));
  $("with-sound").disabled = Boolean(state?.recording);
  $("record").title = state?.path ? `${state.recording ? "Recording to" : "Recorded to"} ${state.path}` : "Record all events to a file on the host";
}

function showCards() {
  const present = new Set((status.plugins || []).filter((p) => p.enabled !== false).map((p) => p.identifier));
  let any = false;
  for (const card of document.querySelectorAll("[data-plugin]")) {
    card.hidden = !card.dataset.plugin.split(" ").some((p) => present.has(p));
    any ||= !card.hidden;
  }
  $("no-ears").hidden = any;
  const wanted = [...(present.has("onset") ? ["onset"] : []), ...(present.has("drums") ? DRUMS : [])];
  const box = $("hits");
  if (box.dataset.names !== wanted.join()) {
    box.dataset.names = wanted.join();
    box.replaceChildren(...wanted.map((n) => Object.assign(document.createElement("span"), { textContent: n, id: `hit-${n}` })));
  }
}

// -- each frame --------------------------------------------------------------------------------------------

function frame() {
  requestAnimationFrame(frame);
  const c = clock.now();
  const stage = $("stage");
  stage.dataset.state = c ? c.state : "none";
  const whole = c && c.bpm ? Math.floor(c.bpm + 0.005) : null;
  set($("bpm"), whole === null ? "––" : String(whole));
  set($("bpm-fraction"), whole === null ? "" : `.${String(Math.floor((c.bpm + 0.005 - whole) * 100)).padStart(2, "0")}`);
  set($("state"), c ? c.state : "no clock");
  level("confidence", c ? c.confidence : 0);
  set($("confidence-text"), c ? `${Math.round(100 * c.confidence)} %` : "–");
  showBar(c);
  showEars();
}

function showBar(c) {
  const running = c && c.state !== "searching";
  const n = c ? c.perBar : 4;
  const lamps = $("lamps");
  if (lamps.children.length !== n) {
    lamps.replaceChildren(...Array.from({ length: n }, () => document.createElement("i")));
    $("ticks").replaceChildren(...Array.from({ length: n }, (_, k) => {
      const a = (k / n) * 2 * Math.PI, line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [key, r] of [["1", 78], ["2", 94]]) {
        line.setAttribute(`x${key}`, 100 + r * Math.sin(a)); line.setAttribute(`y${key}`, 100 - r * Math.cos(a));
      }
      return line;
    }));
  }
  [...lamps.children].forEach((lamp, k) => {
    const on = running && k === c.inBar - 1;
    lamp.classList.toggle("on", on); lamp.classList.toggle("dim", on && c.phase > 0.35);
  });
  const share = running ? (c.inBar - 1 + c.phase) / n : 0, angle = share * 2 * Math.PI;
  $("sweep").style.strokeDasharray = `${share.toFixed(4)} 1`;
  $("hand").setAttribute("cx", 100 + 86 * Math.sin(angle)); $("hand").setAttribute("cy", 100 - 86 * Math.cos(angle));
  set($("in-bar"), running ? String(c.inBar) : "–");
  set($("metre-text"), running ? `of ${n}` : "");
  set($("bar"), running ? String(c.bar) : "–"); set($("phrase"), running ? String(c.phrase) : "–"); set($("beat"), running ? String(c.beat) : "–");
}

function showEars() {
  for (const [id, name] of [["rms", "level.rms"], ["peak", "level.peak"], ["lufs", "level.momentary"]]) {
    const db = values[name], heard = typeof db === "number" && db > -100;
    level(id, heard ? (db + 60) / 60 : 0);
    set($(`${id}-text`), typeof db !== "number" ? "–" : heard ? `${db.toFixed(1)} ${id === "lufs" ? "LUFS" : "dB"}` : "silent");
  }
  for (const band of ["low", "mid", "high"]) level(band, values[`bands.${band}`]);
  const voice = values["voice.probability"];
  level("voice", voice); set($("voice-text"), typeof voice === "number" ? `${Math.round(100 * voice)} %` : "–");
  $("voice-lamp").classList.toggle("on", Boolean(words.voice));
  const hz = values["pitch.hz"] || 0;
  if (hz > 0) {
    const midi = 69 + 12 * Math.log2(hz / 440), near = Math.round(midi), cents = Math.round(100 * (midi - near));
    set($("note"), `${NOTES[((near % 12) + 12) % 12]}${Math.floor(near / 12) - 1}`); set($("cents"), `${cents > 0 ? "+" : ""}${cents} ct`);
    set($("hz"), `${hz.toFixed(1)} Hz`);
  } else { set($("note"), "–"); set($("cents"), "no pitch"); set($("hz"), ""); }
  level("pitch", hz > 0 ? values["pitch.confidence"] : 0);
  const t = performance.now();
  for (const span of $("hits").children) span.classList.toggle("on", t - (hits[span.textContent] ?? -1e9) < FLASH);
  showKey();
  showStructure();
  showTags();
}

function showKey() {
  const key = values["key.key"] || words.Key || "", chord = values["key.chord"];
  set($("key"), key ? key.replace(" major", "").replace(" minor", "m").replace("b", "♭").replace("#", "♯") : "–");
  set($("camelot"), [key ? values["key.camelot"] || "" : "", key.split(" ")[1] || "no key yet"].filter(Boolean).join(" · "));
  level("key-sure", key ? values["key.confidence"] : 0);
  set($("chord"), chord && chord !== "N" ? `chord ${chord.replace("b", "♭").replace("#", "♯")}` : "no chord");
}

function showStructure() {
  const part = values["structure-bar.section"] || values["structure.section"] || words.Section || "";
  if (part !== words.part) { words.part = part; words.since = performance.now(); }
  set($("part"), part || "–");
  $("part").dataset.part = part;
  set($("part-since"), part ? `for ${Math.floor((performance.now() - words.since) / 1000)} s` : "nothing yet");
  level("energy", values["structure.energy"]);
  level("buildup", values["structure.buildup"]);
}

/** The strongest, each in its place: rows that jump about cannot be read. */
function showTags() {
  const found = Object.entries(values).filter(([k, v]) => k.startsWith("tags.") && typeof v === "number");
  const least = found.map(([, v]) => v).sort((a, b) => b - a)[Math.min(found.length, MOST_TAGS) - 1] ?? 0;
  const shown = found.filter(([, v]) => v >= least).slice(0, MOST_TAGS), box = $("tags");
  const names = shown.map(([k]) => k.slice(5));
  if (box.dataset.names !== names.join()) {
    box.dataset.names = names.join();
    box.replaceChildren(...names.map((name) => {
      const row = document.createElement("div"), bar = document.createElement("meter-bar");
      row.className = "row"; bar.id = `tag-${name}`;
      row.append(Object.assign(document.createElement("span"), { textContent: name }), bar, document.createElement("output"));
      return row;
    }));
    if (!names.length) box.append(Object.assign(document.createElement("p"), { className: "empty", textContent: "nothing yet" }));
  }
  shown.forEach(([, v], k) => {
    const row = box.children[k];
    row.children[1].style.setProperty("--level", Math.min(1, Math.max(0, v)).toFixed(3));
    set(row.children[2], `${Math.round(100 * v)} %`);
  });
}

// -- hands -------------------------------------------------------------------------------------------------

function press(button, fine = false) {
  if (button.disabled) return;
  const method = button.dataset.call, params = {};
  if (button.dataset.ms) params.ms = Number(button.dataset.ms) / (fine ? 10 : 1);
  if (button.dataset.toggle) {
    params.on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(params.on));
  }
  call(method, params);
  button.classList.add("hit"); setTimeout(() => button.classList.remove("hit"), 110);
}

for (const button of document.querySelectorAll("[data-call]")) {
  // on the way down: a tap must not wait for the finger to lift
  button.addEventListener("pointerdown", (e) => { if (e.button === 0) { press(button, e.shiftKey); button.dataset.pressed = "1"; } });
  button.addEventListener("click", () => { if (button.dataset.pressed) delete button.dataset.pressed; else press(button); });
}
$("metre").addEventListener("change", (e) => call("transport.metre", { beats: Number(e.target.value) }));
$("preset").addEventListener("change", (e) => { call("preset.load", { name: e.target.value }); e.target.blur(); });
$("record").addEventListener("click", async () => {
  const on = $("record").getAttribute("aria-pressed") !== "true";
  const state = on ? await call("record.start", { audio: $("with-sound").checked }) : await call("record.stop");
  if (!state) return;
  showRecording(state);
  for (const path of [state.path, state.audio?.path].filter(Boolean)) log(`${on ? "recording to" : "recorded"} ${path}`);
});
$("help").addEventListener("click", () => $("keys").showModal());
$("contrast").addEventListener("click", contrast);
$("gate-form").addEventListener("submit", (e) => { e.preventDefault(); $("gate").close(); connection.useToken($("token").value); });

function contrast(e, on = !document.documentElement.classList.contains("contrast")) {
  document.documentElement.classList.toggle("contrast", on);
  $("contrast").setAttribute("aria-pressed", String(on));
  try { localStorage.setItem("contrast", on ? "1" : ""); } catch { /* private window */ }
}
try { if (localStorage.getItem("contrast")) contrast(null, true); } catch { /* private window */ }

addEventListener("keydown", (e) => {
  if (e.repeat || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
  const key = e.key.toLowerCase();
  const button = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (button) { e.preventDefault(); press(button, e.shiftKey); }
  else if (key === "c") contrast();
  else if (key === "?") $("keys").showModal();
});

showConnection(false, "connecting…");
connection.open();
requestAnimationFrame(frame);
