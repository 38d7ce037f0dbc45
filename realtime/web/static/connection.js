// One WebSocket that comes back by itself, and calls that are answered.
const RATE = 30, WAIT = [300, 600, 1200, 2500, 5000], ANSWER = 4000;

export class Connection {
  constructor(on) {
    this.on = on; this.tries = 0; this.next = 1; this.waiting = new Map();
    const given = new URLSearchParams(location.search).get("token");
    try {
      if (given) sessionStorage.setItem("token", given);
      this.token = given || sessionStorage.getItem("token") || "";
    } catch { this.token = given || ""; }
    if (given) history.replaceState(null, "", location.pathname); // not in the history, not in a screenshot
    addEventListener("online", () => this.again(0));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && !this.socket) this.again(0); });
  }

  query() { return this.token ? `?token=${encodeURIComponent(this.token)}` : ""; }

  useToken(token) {
    this.token = token;
    try { sessionStorage.setItem("token", token); } catch { /* private window */ }
    this.again(0);
  }

  open() {
    clearTimeout(this.timer);
    if (this.socket) return;
    const socket = this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws${this.query()}`);
    let greeted = false;
    socket.onmessage = (e) => {
      const message = JSON.parse(e.data);
      if (message.type === "reply") return this.answer(message);
      if (message.type === "hello") {
        greeted = true; this.tries = 0;
        this.on.state(true, "");
        this.call("subscribe", { rate: RATE }).catch(() => {});
      }
      this.on[message.type]?.(message);
    };
    socket.onclose = async () => {
      this.socket = null;
      for (const w of this.waiting.values()) w.fail(new Error("the connection was lost"));
      this.waiting.clear();
      this.on.state(false, greeted ? "host gone, reconnecting…" : "no host, reconnecting…");
      if (!greeted && await this.barred()) { this.on.state(false, "token needed"); return this.on.gate(); }
      this.again(WAIT[Math.min(this.tries++, WAIT.length - 1)]);
    };
  }

  async barred() {
    try { return (await fetch(`/access${this.query()}`)).status === 401; } catch { return false; }
  }

  again(after) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), after);
  }

  call(method, params) {
    if (this.socket?.readyState !== WebSocket.OPEN) return Promise.reject(new Error("not connected to the host"));
    const id = this.next++;
    return new Promise((done, fail) => {
      const timer = setTimeout(() => { this.waiting.delete(id); fail(new Error(`${method}: the host did not answer`)); }, ANSWER);
      this.waiting.set(id, { done: (r) => { clearTimeout(timer); done(r); }, fail: (e) => { clearTimeout(timer); fail(e); } });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  answer(reply) {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (!waiting) return;
    if (reply.error) waiting.fail(new Error(reply.error.message)); else waiting.done(reply.result);
  }
}
