// The musical clock between two snapshots: runs on at the host's tempo, leans towards each snapshot, never jitters.
const PULL = 0.15, JUMP = 0.5, STALE = 1500;

export class Clock {
  constructor() { this.lose(); }

  lose() { this.seen = null; this.position = null; }

  take(values) {
    const bpm = values["transport.bpm"];
    if (typeof bpm !== "number") return this.lose();
    const at = performance.now();
    const there = (values["transport.beat"] || 0) + (values["transport.beat_phase"] || 0);
    const here = this.at(at), error = here === null ? 0 : there - here;
    this.position = here === null || Math.abs(error) > JUMP ? there : here + PULL * error;
    this.when = at;
    this.seen = {
      bpm, state: values["transport.state"] || "searching", confidence: values["transport.confidence"] || 0,
      beat: values["transport.beat"] || 0, inBar: values["transport.beat_in_bar"] || 1,
      perBar: values["transport.beats_per_bar"] || 4, bar: values["transport.bar"] || 0, phrase: values["transport.phrase"] || 0,
    };
  }

  at(time) {
    return this.position === null || !this.seen ? null : this.position + ((time - this.when) / 60000) * this.seen.bpm;
  }

  now() {
    const time = performance.now();
    if (!this.seen || time - this.when > STALE) return null;
    const position = this.at(time), beat = Math.floor(position), s = this.seen;
    const ahead = beat - s.beat, place = s.inBar - 1 + ahead, bars = Math.floor(place / s.perBar);
    return { ...s, beat, phase: position - beat, inBar: ((place % s.perBar) + s.perBar) % s.perBar + 1, bar: s.bar + bars };
  }
}
