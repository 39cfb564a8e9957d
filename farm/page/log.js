// What was noted about a job: newest first, all of it or one attempt's.

import { Poller, jobPath } from "./api.js";
import { el, keyed, setText } from "./dom.js";
import { clock } from "./format.js";
import { reason } from "./frame.js";

const EVERY_MS = 5000;

export class LogPanel {
  constructor(id, { onFrame }) {
    this.id = id;
    this.onFrame = onFrame;
    this.attempt = null;
    this.title = el("h2", {}, "Log");
    this.all = el("button", { class: "quiet", hidden: true, onclick: () => this.follow(null) }, "Show all");
    this.lines = el("ol", { class: "lines" });
    this.empty = el("p", { class: "hint" });
    this.node = el("section", { class: "card log", "aria-label": "Log" }, el("div", { class: "head" }, this.title, this.all), this.lines, this.empty);
    this.ask();
  }

  // The lines of one attempt; of all where `attempt` is null.
  follow(attempt) {
    this.attempt = attempt;
    setText(this.title, attempt === null ? "Log" : `Log of attempt ${attempt}`);
    this.all.hidden = attempt === null;
    this.poller.stop();
    this.ask();
    if (attempt !== null) this.node.scrollIntoView({ block: "nearest" });
  }

  ask() {
    const query = this.attempt === null ? "" : `?attempt=${this.attempt}`;
    this.poller = new Poller(jobPath(this.id, `/journal${query}`), { everyMs: EVERY_MS, onData: (data) => this.draw(data.lines) });
  }

  poke() {
    this.poller.poke();
  }

  stop() {
    this.poller.stop();
  }

  draw(lines) {
    keyed(this.lines, lines, {
      key: (line) => `${line.id} ${line.is_cut}`,
      make: (line) => ({ node: this.line(line) }),
      update: () => {},
    });
    setText(this.empty, lines.length ? "" : this.attempt === null ? "Nothing was noted yet." : "Nothing was noted in this attempt.");
  }

  line(line) {
    const frame = line.frame === null ? null : el("button", { class: "link", onclick: () => this.onFrame(line.frame) }, `frame ${line.frame}`);
    const attempt =
      line.attempt === null
        ? null
        : el("button", { class: "link", title: "Show this attempt alone", onclick: () => this.follow(line.attempt) }, `attempt ${line.attempt}`);
    return el("li", {}, el("time", {}, clock(line.at_s)), el("span", { class: "where" }, frame, attempt), reason(line.text));
  }
}
