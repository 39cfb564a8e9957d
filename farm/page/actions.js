// What a person can do to a job, each button only where the job's state and the person's role allow it.

import { act, session } from "./api.js";
import { el, setAttribute, setText } from "./dom.js";
import { ask, notify } from "./notices.js";

const UNFINISHED = ["queued", "active", "paused"];

export class ActionBar {
  constructor(id, { onDone }) {
    this.id = id;
    this.onDone = onDone;
    this.job = null;
    this.pause = el("button", { onclick: () => this.run("pause", "The job pauses; chunks in hand are finished.") }, "Pause");
    this.resume = el("button", { class: "main", onclick: () => this.run("resume", "The job goes on.") }, "Resume");
    this.cancel = el("button", { class: "grave", onclick: () => this.askAndCancel() }, "Cancel");
    this.retryAll = el("button", { class: "main", onclick: () => this.run("retry", "All unfinished frames wait again.") }, "Retry all failed");
    this.priority = new PriorityField((value) => this.run("priority", `Priority ${value}.`, { priority: value }));
    this.node = el("div", { class: "buttons" }, this.priority.node, this.pause, this.resume, this.retryAll, this.cancel);
    this.frames = el("input", {
      placeholder: "1-20,33",
      "aria-label": "Chosen frames",
      maxlength: 100000,
      spellcheck: "false",
      autocomplete: "off",
      oninput: () => this.draw(),
    });
    this.retry = el("button", { type: "submit" }, "Retry these");
    this.why = el("p", { class: "hint" });
    this.retryNode = el("form", { class: "retry", onsubmit: (event) => this.retryChosen(event) }, this.frames, this.retry, this.why);
    this.isBusy = false;
    this.draw();
  }

  set(job) {
    this.job = job;
    this.priority.set(job.priority);
    this.draw();
  }

  choose(text) {
    this.frames.value = text;
    this.draw();
  }

  draw() {
    const state = this.job?.state;
    const isOpen = UNFINISHED.includes(state);
    const isAllowed = this.job !== null && (session.role === "operate" || session.user === this.job.owner);
    const isReady = isAllowed && !this.isBusy;
    const failedCount = (this.job?.frames.failed ?? 0) + (this.job?.frames.cancelled ?? 0);
    this.pause.hidden = state !== "queued" && state !== "active";
    this.resume.hidden = state !== "paused";
    this.cancel.hidden = !isOpen;
    this.priority.node.hidden = !isOpen;
    this.retryAll.hidden = this.job === null || isOpen || (state === "completed" && !failedCount);
    setText(this.retryAll, state === "cancelled" ? "Retry all unfinished" : "Retry all failed");
    for (const button of [this.pause, this.resume, this.cancel, this.retryAll]) {
      button.disabled = !isReady;
      setAttribute(button, "title", isAllowed ? null : this.job && `This job belongs to ${this.job.owner}.`);
    }
    this.priority.disable(!isReady);
    this.retryNode.hidden = isOpen && isAllowed && !this.frames.value;
    this.frames.hidden = this.retry.hidden = !isAllowed;
    this.retry.disabled = !isReady || isOpen || !this.frames.value.trim();
    setText(this.why, this.hint(isOpen, isAllowed));
  }

  hint(isOpen, isAllowed) {
    if (this.job === null) return "";
    if (!isAllowed) return `This job belongs to ${this.job.owner}; you may look.`;
    if (isOpen) return "Frames can be tried again once the job has ended. What fails is tried again by itself.";
    return "Click frames, or write them here. Shift chooses a span, Ctrl single ones.";
  }

  async askAndCancel() {
    const question = `Cancel “${this.job.name}”? The frames in hand are finished, and what is finished is kept.`;
    if (await ask(question, { yes: "Cancel the job", no: "Go on" })) await this.run("cancel", "The job is cancelled.");
  }

  retryChosen(event) {
    event.preventDefault();
    const frames = this.frames.value.trim();
    if (frames && !this.retry.disabled) this.run("retry", `Frames ${frames.slice(0, 60)} wait again.`, { frames });
  }

  async run(action, done, body = {}) {
    this.isBusy = true;
    this.draw();
    try {
      const report = await act(this.id, action, body);
      this.job = { ...this.job, state: report.state ?? this.job.state, priority: report.priority ?? this.job.priority };
      notify(done, { isGood: true });
      this.onDone();
    } catch (error) {
      notify(`Not done: ${error.message}`);
    } finally {
      this.isBusy = false;
      this.draw();
    }
  }
}

// A number from 0 to 100 that is set by Enter or by its button.
class PriorityField {
  constructor(onSet) {
    this.input = el("input", { type: "number", min: 0, max: 100, step: 1, id: "priority", required: true, oninput: () => this.draw() });
    this.button = el("button", { type: "submit", hidden: true }, "Set");
    this.node = el("form", { class: "priority" }, el("label", { for: "priority" }, "Priority"), this.input, this.button);
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      onSet(Number(this.input.value));
      this.input.blur();
    });
    this.value = null;
  }

  set(value) {
    if (this.value === value) return;
    this.value = value;
    this.input.value = String(value);
    this.draw();
  }

  draw() {
    this.button.hidden = this.input.value === String(this.value);
  }

  disable(isDisabled) {
    this.input.disabled = this.button.disabled = isDisabled;
  }
}
