// All jobs at a glance.

import { Poller, headNow } from "./api.js";
import { el, keyed, setText } from "./dom.js";
import { ago, count, duration, percent } from "./format.js";
import { tellPulse } from "./notices.js";
import { StateBar, stateWord } from "./states.js";

const KINDS = [
  ["all", "All", () => true],
  ["open", "Unfinished", (job) => ["queued", "active", "paused"].includes(job.state)],
  ["failed", "Failed", (job) => job.state === "failed"],
  ["done", "Completed", (job) => job.state === "completed"],
];

export function jobsView() {
  let jobs = null;
  let kind = "all";
  const list = el("ul", { class: "jobs" });
  const empty = el("p", { class: "empty" });
  const search = el("input", {
    type: "search",
    placeholder: "Find by name, id or owner",
    "aria-label": "Find jobs by name, id or owner",
    oninput: draw,
  });
  const chips = el(
    "div",
    { class: "chips", role: "group", "aria-label": "Which jobs" },
    KINDS.map(([name, label]) => el("button", { "data-kind": name, onclick: () => choose(name) }, label)),
  );

  function choose(name) {
    kind = name;
    draw();
  }

  function draw() {
    for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chip.dataset.kind === kind));
    if (!jobs) return;
    const [, , isOfKind] = KINDS.find(([name]) => name === kind);
    const words = search.value.trim().toLowerCase();
    const isFound = (job) => `${job.name} ${job.id} ${job.owner}`.toLowerCase().includes(words);
    const shown = jobs.filter((job) => isOfKind(job) && isFound(job));
    keyed(list, shown, { key: (job) => job.id, make: makeRow, update: updateRow });
    const isNone = jobs.length === 0;
    setText(empty, shown.length ? "" : isNone ? "No jobs yet. Submit one from Blender, or with dvp farm submit job.json." : "No job is like that.");
  }

  function onKey(event) {
    if (event.key === "/" && !["INPUT", "TEXTAREA"].includes(document.activeElement?.tagName)) {
      event.preventDefault();
      search.focus();
    }
  }

  const poller = new Poller("/overview", {
    everyMs: 2000,
    onState: tellPulse,
    onData: (data) => {
      jobs = data.jobs;
      draw();
    },
  });
  document.addEventListener("keydown", onKey);
  const ticker = setInterval(() => jobs && draw(), 5000);
  draw();
  return {
    title: "Jobs",
    node: el("section", { class: "page" }, el("div", { class: "head" }, el("h1", {}, "Jobs"), chips, search), list, empty),
    stop() {
      poller.stop();
      clearInterval(ticker);
      document.removeEventListener("keydown", onKey);
    },
  };
}

function makeRow(job) {
  const parts = {
    name: el("span", { class: "name" }),
    about: el("span", { class: "about" }),
    state: stateWord(),
    bar: new StateBar(),
    done: el("span", { class: "done" }),
    left: el("span", { class: "left" }),
  };
  const link = el(
    "a",
    { href: `#/jobs/${encodeURIComponent(job.id)}` },
    el("span", { class: "title" }, parts.name, parts.about),
    parts.state.node,
    el("span", { class: "progress" }, parts.bar.node, parts.done),
    parts.left,
  );
  return { node: el("li", {}, link), ...parts };
}

function updateRow(row, job) {
  const done = job.frames.completed ?? 0;
  setText(row.name, job.name);
  setText(row.about, `${job.id} · ${job.owner} · priority ${job.priority} · ${ago(headNow() - job.submitted_s)}`);
  row.state.set(job.state, job.message);
  row.bar.set(job.frames, job.frame_count);
  setText(row.done, `${count(done)} of ${count(job.frame_count)} · ${percent(done, job.frame_count)}`);
  setText(row.left, leftText(job));
}

// What a person waits for, in a few words.
function leftText(job) {
  if (job.state === "active") {
    return job.seconds_left === null ? "time left not known yet" : `${duration(job.seconds_left)} left`;
  }
  if (job.state === "completed" && job.started_s) return `took ${duration(job.ended_s - job.started_s)}`;
  if (job.state === "failed") return job.message || "failed";
  if (job.state === "paused") return job.message || "paused";
  return job.state === "queued" ? "waits for a worker" : "";
}
