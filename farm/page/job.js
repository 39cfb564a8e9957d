// One job: how far it is, its frames, its pictures, what went wrong, and what a person can do about it.

import { Poller, headNow, jobPath } from "./api.js";
import { ActionBar } from "./actions.js";
import { el, setText } from "./dom.js";
import { clock, count, duration, percent, rangeText } from "./format.js";
import { FramePanel } from "./frame.js";
import { FrameGrid } from "./grid.js";
import { LogPanel } from "./log.js";
import { tellPulse } from "./notices.js";
import { PicturePanel } from "./pictures.js";
import { SecondsPlot } from "./plot.js";
import { Shot } from "./shot.js";
import { FRAME_STATES, StateBar, WORDS, stateWord } from "./states.js";

const EVERY_MS = 1500;

export function jobView(id, frame) {
  const page = new JobPage(id, frame);
  return { title: id, node: page.node, stop: () => page.stop(), goTo: (match) => page.goTo(match) };
}

class JobPage {
  constructor(id, frame) {
    this.id = id;
    this.wantedFrame = frame === null ? null : Number(frame);
    this.title = el("h1", {}, id);
    this.state = stateWord();
    this.message = el("p", { class: "message" });
    this.about = el("p", { class: "about" }, "Loading");
    this.tiles = new Tiles();
    this.bar = new StateBar();
    this.legend = new Legend((state) => this.grid.choose(this.shot.positionsOf(state)));
    this.grid = new FrameGrid({ onChoose: (chosen, focus) => this.onChoose(chosen, focus) });
    this.plot = new SecondsPlot();
    this.pictures = new PicturePanel(id, { onStep: (step) => this.step(step) });
    this.log = new LogPanel(id, { onFrame: (number) => this.show(number) });
    this.panel = new FramePanel(id, { onAttempt: (attempt) => this.log.follow(attempt) });
    this.facts = new Facts();
    this.actions = new ActionBar(id, { onDone: () => this.poller.poke() });
    this.node = this.compose();
    this.poller = new Poller(jobPath(id, "/page"), {
      everyMs: EVERY_MS,
      onData: (data) => this.set(data),
      onState: (error) => this.onState(error),
    });
    this.ticker = setInterval(() => this.data && this.tiles.set(this.data.job), 1000);
  }

  compose() {
    this.body = el(
      "div",
      { class: "columns" },
      el(
        "div",
        { class: "wide" },
        el(
          "section",
          { class: "card", "aria-label": "Frames" },
          el("h2", {}, "Frames"),
          this.legend.node,
          this.grid.node,
          this.actions.retryNode,
        ),
        el("section", { class: "card seconds", "aria-label": "Seconds per frame" }, el("h2", {}, "Seconds per frame"), this.plot.node),
        this.log.node,
      ),
      el("div", { class: "narrow" }, this.pictures.node, this.panel.node, this.facts.node),
    );
    return el(
      "article",
      { class: "page job", "data-state": "loading", "aria-busy": "true" },
      el("p", { class: "crumb" }, el("a", { href: "#/jobs" }, "‹ Jobs")),
      el(
        "div",
        { class: "head" },
        el("div", { class: "titles" }, el("div", {}, this.title, this.state.node), this.about),
        this.actions.node,
      ),
      this.message,
      this.bar.node,
      this.tiles.node,
      this.body,
    );
  }

  set(data) {
    const { job } = data;
    this.data = data;
    this.shot = new Shot(data);
    document.title = `${job.name} – Farm`;
    setText(this.title, job.name);
    this.state.set(job.state, job.message);
    setText(this.about, `${job.id} · by ${job.owner} · submitted ${clock(job.submitted_s)}`);
    setText(this.message, job.message);
    this.message.hidden = !job.message;
    this.node.dataset.state = job.state;
    this.node.removeAttribute("aria-busy");
    const counts = this.shot.counts();
    this.bar.set(counts, job.frame_count);
    this.legend.set(counts);
    this.tiles.set(job);
    this.grid.set(this.shot);
    this.plot.set(data.plot, job.seconds_per_frame);
    this.actions.set(job);
    this.facts.set(job);
    const { focus } = this.grid;
    this.pictures.set(data.newest_frame, job.files, focus >= 0 && this.shot.state(focus) === "completed");
    this.panel.poke();
    this.log.poke();
    if (this.wantedFrame !== null) this.show(this.wantedFrame);
    this.wantedFrame = null;
  }

  onState(error) {
    tellPulse(error?.status === 404 ? null : error);
    if (error?.status !== 404 || this.data) return;
    this.poller.stop();
    this.node.removeAttribute("aria-busy");
    setText(this.about, "This head knows no such job.");
    this.body.hidden = this.tiles.node.hidden = this.bar.node.hidden = true;
  }

  onChoose(chosen, focus) {
    const numbers = [...chosen].map((position) => this.shot.number(position));
    this.actions.choose(rangeText(numbers));
    const number = focus < 0 ? null : this.shot.number(focus);
    this.panel.show(number);
    this.pictures.choose(number, focus >= 0 && this.shot.state(focus) === "completed");
    clearTimeout(this.addressTimer); // browsers refuse an address that changes with every press of a held key
    this.addressTimer = setTimeout(() => this.writeAddress(number), 250);
  }

  writeAddress(number) {
    const hash = `#/jobs/${encodeURIComponent(this.id)}${number === null ? "" : `/frames/${number}`}`;
    if (location.hash !== hash) history.replaceState(null, "", hash);
  }

  // From one frame's picture to the next.
  step(step) {
    const target = Math.max(0, Math.min(this.shot.length - 1, this.grid.focus + step));
    this.grid.choose([target]);
  }

  show(number) {
    const position = this.shot.position(number);
    if (position >= 0) this.grid.choose([position]);
  }

  // Stay, where the address names another frame of this job.
  goTo([, id, frame]) {
    if (id === undefined || decodeURIComponent(id) !== this.id) return false;
    if (this.data && frame !== undefined) this.show(Number(frame));
    return true;
  }

  stop() {
    clearInterval(this.ticker);
    clearTimeout(this.addressTimer);
    this.poller.stop();
    for (const part of [this.grid, this.pictures, this.panel, this.log]) part.stop();
  }
}

// The few numbers that a person looks for first.
class Tiles {
  constructor() {
    const names = { done: "Finished", left: "Time left", speed: "Median a frame", workers: "Workers", started: "Running for" };
    this.values = {};
    this.names = {};
    this.node = el(
      "dl",
      { class: "tiles" },
      Object.entries(names).map(([key, name]) => el("div", {}, (this.names[key] = el("dt", {}, name)), (this.values[key] = el("dd", {})))),
    );
  }

  set(job) {
    const done = job.frames.completed ?? 0;
    setText(this.values.done, `${percent(done, job.frame_count)} · ${count(done)} of ${count(job.frame_count)}`);
    setText(this.values.left, job.state === "active" ? duration(job.seconds_left) : "–");
    setText(this.values.speed, duration(job.seconds_per_frame));
    setText(this.values.workers, job.workers ? String(job.workers) : "none now");
    setText(this.names.started, job.ended_s ? "Ran for" : "Running for");
    setText(this.values.started, job.started_s ? duration((job.ended_s ?? headNow()) - job.started_s) : "–");
  }
}

// How many frames are in each state; a press chooses them.
class Legend {
  constructor(onPress) {
    this.buttons = Object.fromEntries(
      FRAME_STATES.map((state) => [
        state,
        el(
          "button",
          { class: "key", "data-state": state, title: `Choose the frames that are ${WORDS[state]}`, onclick: () => onPress(state) },
          el("i", { "aria-hidden": "true" }),
          el("span", {}),
        ),
      ]),
    );
    this.node = el("div", { class: "legend", role: "group", "aria-label": "Frames by state" }, Object.values(this.buttons));
  }

  set(counts) {
    for (const [state, button] of Object.entries(this.buttons)) {
      button.hidden = !counts[state];
      setText(button.lastElementChild, `${count(counts[state] ?? 0)} ${WORDS[state]}`);
    }
  }
}

// What was asked for, and what has come out beside the frames.
class Facts {
  constructor() {
    this.list = el("dl", { class: "facts" });
    this.node = el("details", { class: "card" }, el("summary", {}, "Job"), this.list);
    this.shown = "";
  }

  set(job) {
    const shown = JSON.stringify([job.content, job.files, job.tasks]);
    if (shown === this.shown) return;
    this.shown = shown;
    const asked = Object.entries(job.content).filter(([, value]) => value !== null && value !== "" && value !== undefined);
    const made = job.files.map((file) => [file.name, `SHA-256 ${file.sha256}`]);
    const tasks = job.tasks.map((task) => [task.name.replaceAll("_", " "), task.message ? `${task.state}: ${task.message}` : task.state]);
    this.list.replaceChildren(
      ...[...asked, ...tasks, ...made].flatMap(([name, value]) => [el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, String(value))]),
    );
  }
}
