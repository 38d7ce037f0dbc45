// Outputs, plugins and the host's health: rows that are kept and updated, so that a finger never loses its button.
const make = (tag, props = {}, ...children) => { const e = Object.assign(document.createElement(tag), props); e.append(...children); return e; };
const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };

export class Lists {
  constructor(call) { this.call = call; this.rows = new Map(); this.sent = new Map(); }

  outputs(list) {
    document.getElementById("no-outputs").hidden = list.length > 0;
    this.fill("output-list", list, (o) => o.name, (o) => this.outputRow(o), (row, o) => {
      const before = this.sent.get(o.name) ?? o.sent;
      this.sent.set(o.name, o.sent);
      const failing = o.errors > 0 && Boolean(o.message);
      row.lamp.className = `lamp${failing ? " wrong" : o.sent > before ? " on" : ""}`;
      row.lamp.title = failing ? o.message : o.sent > before ? "sending" : "idle";
      set(row.name, `${o.name}${o.enabled === false ? " (off)" : ""}`);
      set(row.detail, [`${o.kind}`, `${(o.sent || 0).toLocaleString("en")} ${o.kind.endsWith("-in") ? "commands" : "sent"}`, o.dropped ? `${o.dropped} dropped` : "", o.errors ? `${o.errors} errors` : "", o.last || ""].filter(Boolean).join(" · "));
      set(row.fault, failing ? o.message : "");
      row.fault.hidden = !failing;
      if (document.activeElement !== row.offset) row.offset.value = o.offset_ms ?? 0;
      row.toggle.setAttribute("aria-pressed", String(o.enabled !== false));
      set(row.toggle, o.enabled !== false ? "On" : "Off");
    });
  }

  outputRow(o) {
    const name = o.name, row = {
      lamp: make("i", { className: "lamp" }), name: make("b"), detail: make("small"), fault: make("small", { className: "bad" }),
      offset: make("input", { type: "number", step: 1, min: -1000, max: 1000, title: "Offset in ms: positive leaves later, negative earlier" }),
      test: make("button", { textContent: "Test", title: "Send one beat now" }), toggle: make("button"),
    };
    row.offset.setAttribute("aria-label", `Offset of ${name} in ms`);
    row.toggle.setAttribute("aria-label", `${name} on or off`);
    row.offset.addEventListener("change", () => this.call("output.offset", { name, ms: Number(row.offset.value) || 0 }));
    row.test.addEventListener("click", () => this.call("output.test", { name }));
    row.toggle.addEventListener("click", () => this.call("output.enable", { name, on: row.toggle.getAttribute("aria-pressed") !== "true" }));
    const late = o.kind.endsWith("-in") ? [] : [row.offset, make("small", { textContent: "ms" }), row.test]; // inputs send nothing
    row.element = make("li", {}, row.lamp, make("div", { className: "text" }, row.name, row.detail, row.fault),
      make("div", { className: "side" }, ...late, row.toggle));
    return row;
  }

  plugins(list) {
    document.getElementById("no-plugins").hidden = list.length > 0;
    this.fill("plugin-list", list, (p) => p.identifier, (p) => this.pluginRow(p), (row, p) => {
      row.lamp.className = `lamp${p.errors ? " wrong" : p.enabled !== false ? " on" : ""}`;
      set(row.name, p.name || p.identifier);
      set(row.detail, [`${(100 * (p.load || 0)).toFixed(1)} % of a core`, `${(p.cost_p99_ms || 0).toFixed(2)} ms p99`, `latency ${(p.latency_ms || 0).toFixed(0)} ms`].join(" · "));
      set(row.fault, p.errors ? `${p.errors} errors: ${p.error || ""}` : "");
      row.fault.hidden = !p.errors;
      row.bar.style.setProperty("--level", Math.min(1, (p.load || 0) / 0.6).toFixed(3));
      row.toggle.setAttribute("aria-pressed", String(p.enabled !== false));
      set(row.toggle, p.enabled !== false ? "On" : "Off");
    });
  }

  pluginRow(p) {
    const plugin = p.identifier, row = { lamp: make("i", { className: "lamp" }), name: make("b"), detail: make("small"), fault: make("small", { className: "bad" }), toggle: make("button"), bar: make("meter-bar") };
    row.toggle.setAttribute("aria-label", `${plugin} on or off`);
    row.toggle.addEventListener("click", () => this.call("plugin.enable", { plugin, on: row.toggle.getAttribute("aria-pressed") !== "true" }));
    row.bar.title = "share of the 60 % of a core that the fast lane may use";
    row.element = make("li", {}, row.lamp, make("div", { className: "text" }, row.name, row.detail, row.fault), make("div", { className: "side" }, row.toggle), row.bar);
    return row;
  }

  rules(list) {
    document.getElementById("rules").hidden = list.length === 0;
    this.fill("rule-list", list, (r) => r.name, (r) => this.ruleRow(r), (row, r) => {
      const before = this.sent.get(`rule/${r.name}`) ?? r.fired;
      this.sent.set(`rule/${r.name}`, r.fired);
      row.lamp.className = `lamp${r.fired > before ? " on" : ""}`;
      set(row.name, r.name);
      set(row.detail, `${r.when} · fired ${r.fired.toLocaleString("en")}×${r.enabled ? "" : " · off"}`);
      row.toggle.setAttribute("aria-pressed", String(!r.muted));
      set(row.toggle, r.muted ? "Muted" : "On");
    });
  }

  ruleRow(r) {
    const name = r.name, row = {
      lamp: make("i", { className: "lamp" }), name: make("b"), detail: make("small"),
      fire: make("button", { textContent: "Fire", title: "Fire once, whatever its conditions" }), toggle: make("button", { title: "Muted, it keeps time and sends nothing" }),
    };
    row.fire.addEventListener("click", () => this.call("rule.fire", { name }));
    row.toggle.addEventListener("click", () => this.call("rule.mute", { name, on: row.toggle.getAttribute("aria-pressed") === "true" }));
    row.element = make("li", {}, row.lamp, make("div", { className: "text" }, row.name, row.detail), make("div", { className: "side" }, row.fire, row.toggle));
    return row;
  }

  host(status, values) {
    const host = status.host || {}, input = status.input || {}, web = status.websocket || {};
    const lost = input.lost ?? 0, entries = [
      ["Load", `${(100 * (values["host.load"] ?? host.load ?? 0)).toFixed(1)} %`, (values["host.load"] ?? 0) > 0.6],
      ["Late", String(host.late ?? 0), false],
      ["Lost frames", lost.toLocaleString("en"), lost > 0],
      ["Input latency", `${(input.latency_ms ?? 0).toFixed(1)} ms`, false],
      ["Restarts", String(status.restarts ?? 0), (status.restarts ?? 0) > 0],
      ["Web clients", String(web.clients ?? 0), false],
      ["Up", `${Math.floor((status.uptime ?? 0) / 60)} min ${Math.floor((status.uptime ?? 0) % 60)} s`, false],
      ["Version", String(status.version ?? "?"), false],
    ];
    if (input.message) entries.unshift(["Input", input.message, true]);
    const text = JSON.stringify(entries), box = document.getElementById("host-list");
    if (box.dataset.text === text) return;
    box.dataset.text = text;
    box.replaceChildren(...entries.flatMap(([k, v, bad]) => [make("dt", { textContent: k }), make("dd", { textContent: v, className: bad ? "bad" : "" })]));
  }

  fill(id, list, key, build, update) {
    const box = document.getElementById(id), seen = new Set();
    for (const item of list) {
      const name = `${id}/${key(item)}`;
      seen.add(name);
      let row = this.rows.get(name);
      if (!row) { row = build(item); this.rows.set(name, row); box.append(row.element); }
      update(row, item);
    }
    for (const [name, row] of this.rows) {
      if (name.startsWith(`${id}/`) && !seen.has(name)) { row.element.remove(); this.rows.delete(name); }
    }
  }
}
