// The chosen frame: its key, hash and seconds, and every attempt at it with its reasons.

import { Poller, jobPath } from "./api.js";
import { el, setText } from "./dom.js";
import { clock, duration, lastLine } from "./format.js";
import { WORDS } from "./states.js";

const EVERY_MS = 4000;

export class FramePanel {
  constructor(id, { onAttempt }) {
    this.id = id;
    this.onAttempt = onAttempt;
    this.number = null;
    this.title = el("h2", {}, "Frame");
    this.body = el("div", {});
    this.hint = el("p", { class: "hint" }, "Choose a frame to see its attempts, key and hash.");
    this.node = el("section", { class: "card frame", "aria-label": "Chosen frame" }, this.title, this.hint, this.body);
  }

  show(number) {
    if (number === this.number) return;
    this.number = number;
    this.poller?.stop();
    this.poller = null;
    this.body.replaceChildren();
    this.hint.hidden = number !== null;
    setText(this.title, number === null ? "Frame" : `Frame ${number}`);
    clearTimeout(this.timer);
    if (number !== null) this.timer = setTimeout(() => this.ask(), 120); // a held arrow key asks once
  }

  ask() {
    const path = jobPath(this.id, `/frames/${this.number}`);
    this.poller = new Poller(path, { everyMs: EVERY_MS, onData: (data) => this.draw(data) });
  }

  poke() {
    this.poller?.poke();
  }

  stop() {
    clearTimeout(this.timer);
    this.poller?.stop();
  }

  draw({ frame, attempts }) {
    const facts = [
      ["State", frame.failures ? `${WORDS[frame.state]}, ${frame.failures} × failed` : WORDS[frame.state]],
      ["Reason", frame.message],
      ["Worker", frame.worker],
      ["Seconds", frame.seconds === null ? null : duration(frame.seconds)],
      ["Task", frame.task],
      ["Key", frame.key],
      ["SHA-256", frame.sha256],
    ].filter(([, value]) => value);
    this.body.replaceChildren(
      el("dl", { class: "facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", { class: isHash(name) }, value)]).flat()),
      el("h3", {}, attempts.length ? "Attempts" : "No attempt yet"),
      el("ol", { class: "attempts" }, attempts.map((attempt) => this.attempt(attempt))),
    );
  }

  attempt(attempt) {
    const took = attempt.ended_s === null ? "running" : duration(attempt.ended_s - attempt.started_s);
    return el(
      "li",
      {},
      el(
        "p",
        {},
        el("button", { class: "link", title: "Show the log of this attempt", onclick: () => this.onAttempt(attempt.id) }, `Attempt ${attempt.id}`),
        ` ${attempt.state} · ${attempt.worker} · ${clock(attempt.started_s)} · ${took} for ${counted(attempt.frame_count)}`,
      ),
      attempt.lines.map((line) => reason(line.text)),
    );
  }
}

function counted(frames) {
  return frames === 1 ? "1 frame" : `${frames} frames`;
}

function isHash(name) {
  return name === "Key" || name === "SHA-256" ? "hash" : null;
}

// A text of one line as it is; a longer one behind its last line, which names the error.
export function reason(text) {
  if (!text.trim().includes("\n")) return el("p", { class: "text" }, text);
  return el("details", { class: "text" }, el("summary", {}, lastLine(text)), el("pre", {}, text));
}
