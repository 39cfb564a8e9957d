// Seconds per frame along the shot: a line with its band, and the median across.

import { el, setText, svg } from "./dom.js";
import { duration } from "./format.js";

const WIDTH = 640;
const HEIGHT = 96;

export class SecondsPlot {
  constructor() {
    this.drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.top = el("span", { class: "top" });
    this.first = el("span", {});
    this.readout = el("span", { class: "readout" });
    this.last = el("span", {});
    this.node = el(
      "figure",
      { class: "plot" },
      el("div", { class: "plotbox" }, this.top, this.drawing),
      el("figcaption", {}, this.first, this.readout, this.last),
    );
    this.drawing.addEventListener("pointermove", (event) => this.onHover(event));
    this.drawing.addEventListener("pointerleave", () => this.tell(null));
  }

  // `points` are [first frame, last frame, mean, least, most] in seconds.
  set(points, median) {
    this.points = points;
    this.median = median;
    this.node.hidden = points.length < 2;
    if (this.node.hidden) return;
    const most = percentile(points.map((point) => point[4]), 0.98) * 1.15;
    const x = (index) => (index / (points.length - 1)) * WIDTH;
    const y = (seconds) => HEIGHT - (Math.min(seconds, most) / most) * (HEIGHT - 2);
    const line = (column) => points.map((point, index) => `${x(index).toFixed(1)},${y(point[column]).toFixed(1)}`);
    this.cross = svg("line", { class: "cross", y1: 0, y2: HEIGHT, visibility: "hidden" });
    this.drawing.replaceChildren(
      svg("polygon", { class: "band", points: [...line(4), ...line(3).reverse()].join(" ") }),
      svg("polyline", { class: "line", points: line(2).join(" ") }),
      svg("line", { class: "median", x1: 0, x2: WIDTH, y1: y(median), y2: y(median) }),
      this.cross,
    );
    this.drawing.setAttribute("aria-label", `Seconds per frame, median ${duration(median)}`);
    setText(this.top, duration(most));
    setText(this.first, `frame ${points[0][0]}`);
    setText(this.last, `frame ${points[points.length - 1][1]}`);
    this.tell(null);
  }

  onHover(event) {
    const box = this.drawing.getBoundingClientRect();
    const index = Math.round(((event.clientX - box.left) / box.width) * (this.points.length - 1));
    this.tell(Math.max(0, Math.min(this.points.length - 1, index)));
  }

  tell(index) {
    this.cross.setAttribute("visibility", index === null ? "hidden" : "visible");
    if (index === null) return setText(this.readout, `median ${duration(this.median)} a frame`);
    const [first, last, mean, least, most] = this.points[index];
    const at = ((index / (this.points.length - 1)) * WIDTH).toFixed(1);
    this.cross.setAttribute("x1", at);
    this.cross.setAttribute("x2", at);
    const spread = first === last ? "" : ` (${duration(least)} to ${duration(most)})`;
    setText(this.readout, `${first === last ? `frame ${first}` : `frames ${first}–${last}`}: ${duration(mean)}${spread}`);
  }
}

function percentile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
