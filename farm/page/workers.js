// The machines, their workers, and what each has in hand.

import { Poller, headNow } from "./api.js";
import { el, keyed, setText } from "./dom.js";
import { duration } from "./format.js";
import { tellPulse } from "./notices.js";

export function workersView() {
  let data = null;
  const machines = el("div", { class: "machines" });
  const empty = el("p", { class: "empty" });
  const dashboard = el("p", { class: "hint" });

  function draw() {
    if (!data) return;
    const orders = new Map(data.orders.map((order) => [order.worker, order]));
    const names = new Map(data.jobs.map((job) => [job.id, job.name]));
    keyed(machines, byMachine(data), {
      key: (machine) => machine.name,
      make: makeMachine,
      update: (row, machine) => updateMachine(row, machine, orders, names),
    });
    setText(empty, data.workers.length ? "" : "This head has told of no workers yet.");
    if (dashboard.childNodes.length) return;
    const link = data.dashboard_url;
    dashboard.append(
      link
        ? el("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, "Ray's dashboard")
        : "This head runs its own Ray, without a dashboard. One that joins a cluster links to the cluster's here.",
    );
  }

  const poller = new Poller("/overview", {
    everyMs: 1500,
    onState: tellPulse,
    onData: (answer) => {
      data = answer;
      draw();
    },
  });
  const ticker = setInterval(draw, 1000);
  return {
    title: "Workers",
    node: el("section", { class: "page" }, el("div", { class: "head" }, el("h1", {}, "Workers"), dashboard), machines, empty),
    stop() {
      poller.stop();
      clearInterval(ticker);
    },
  };
}

function byMachine({ workers, machines }) {
  const found = new Map(machines.map((machine) => [machine.name, { ...machine, workers: [] }]));
  for (const worker of workers) {
    const name = worker.machine || "starting";
    if (!found.has(name)) found.set(name, { name, is_alive: true, cpu_count: null, gpu_count: 0, workers: [] });
    found.get(name).workers.push(worker);
  }
  return [...found.values()];
}

function makeMachine() {
  const name = el("h2", {});
  const about = el("p", { class: "about" });
  const list = el("ul", { class: "workers" });
  return { node: el("section", { class: "card machine" }, el("div", { class: "head" }, name, about), list), name, about, list };
}

function updateMachine(row, machine, orders, names) {
  const cores = machine.cpu_count === null ? "" : `${machine.cpu_count} cores`;
  const cards = machine.gpu_count ? ` · ${machine.gpu_count} GPUs` : "";
  const busy = machine.workers.filter((worker) => orders.has(worker.name)).length;
  setText(row.name, machine.name);
  setText(row.about, machine.is_alive ? `${cores}${cards} · ${busy} of ${machine.workers.length} workers busy` : "gone");
  keyed(row.list, machine.workers, {
    key: (worker) => worker.name,
    make: makeWorker,
    update: (line, worker) => updateWorker(line, worker, orders.get(worker.name), names),
  });
}

function makeWorker() {
  const name = el("span", { class: "name" });
  const link = el("a", {});
  const about = el("span", { class: "about" });
  const part = el("i", {});
  return { node: el("li", {}, name, el("span", { class: "what" }, link, about), el("span", { class: "chunk" }, part)), name, link, about, part };
}

function updateWorker(line, worker, order, names) {
  setText(line.name, worker.name);
  line.node.dataset.state = order ? "active" : worker.is_ready ? "idle" : "starting";
  setText(line.link, order ? (names.get(order.job) ?? order.job) : "");
  if (!order) {
    line.link.removeAttribute("href");
    setText(line.about, worker.is_ready ? "idle" : "starting");
    line.part.style.width = "0";
    return;
  }
  const frame = order.frame === null ? "" : `/frames/${order.frame}`;
  line.link.href = `#/jobs/${encodeURIComponent(order.job)}${frame}`;
  const what = order.frame_count ? `frame ${order.frame ?? "–"}, ${order.frames_done} of ${order.frame_count} in its chunk` : order.task.replaceAll("_", " ");
  setText(line.about, `${what} · for ${duration(Math.max(0, headNow() - order.started_s))}`);
  line.part.style.width = order.frame_count ? `${(100 * order.frames_done) / order.frame_count}%` : "0";
}
