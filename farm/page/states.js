// The states of jobs and frames, always in the same words, order and colours.

import { el, setText } from "./dom.js";
import { count } from "./format.js";

// The order of a bar: what is done first, what is still to do last.
export const FRAME_STATES = ["completed", "active", "soft-failed", "failed", "cancelled", "queued"];
export const WORDS = {
  completed: "finished",
  active: "in hand",
  "soft-failed": "to be tried again",
  failed: "failed",
  cancelled: "cancelled",
  queued: "waiting",
};

// A dot and a word for a job's state.
export function stateWord() {
  const word = el("span", {});
  const node = el("span", { class: "state" }, el("i", { "aria-hidden": "true" }), word);
  return {
    node,
    set(state, message) {
      node.dataset.state = state;
      node.title = message ?? "";
      setText(word, state);
    },
  };
}

// A bar cut into the frames' states.
export class StateBar {
  constructor() {
    this.parts = Object.fromEntries(FRAME_STATES.map((state) => [state, el("i", { "data-state": state })]));
    this.node = el("span", { class: "statebar", role: "img" }, Object.values(this.parts));
  }

  set(counts, total) {
    const told = FRAME_STATES.filter((state) => counts[state]).map((state) => `${count(counts[state])} ${WORDS[state]}`);
    this.node.setAttribute("aria-label", told.join(", ") || "no frames");
    this.node.title = told.join(", ");
    for (const state of FRAME_STATES) this.parts[state].style.flexGrow = String((counts[state] ?? 0) / (total || 1));
  }
}
