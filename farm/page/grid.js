// The frames of a job as cells on a canvas, which stays quick where there are a hundred thousand: only cells whose
// state, choice or place has changed are drawn again. Mouse, touch and keyboard choose frames.

import { announcer, el, setText } from "./dom.js";
import { WORDS } from "./states.js";

// [up to so many frames, side of a cell with its gap, gap]
const SIZES = [
  [150, 26, 3],
  [450, 20, 3],
  [1200, 14, 2],
  [5000, 10, 2],
  [20000, 7, 1],
  [50000, 4, 1],
  [Infinity, 3, 1],
];
const NARROW = 480; // a phone shows smaller cells
const MOST_STRETCH = 1.4;
const LABEL_EVERY = 26;
const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

export class FrameGrid {
  constructor({ onChoose }) {
    this.onChoose = onChoose;
    this.shot = null;
    this.chosen = new Set();
    this.focus = -1;
    this.anchor = -1;
    this.canvas = el("canvas", {
      tabindex: 0,
      role: "application",
      "aria-label": "Frames: arrow keys go from frame to frame, with Shift they choose a span",
    });
    this.tip = el("p", { class: "tip", hidden: true });
    this.said = announcer();
    this.box = el("div", { class: "gridbox" }, this.canvas, this.tip);
    this.node = el("div", { class: "grid" }, this.box, this.said);
    this.listen();
  }

  listen() {
    this.canvas.addEventListener("pointerdown", (event) => this.onPointer(event));
    this.canvas.addEventListener("pointermove", (event) => this.onHover(event));
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener("focus", () => this.focus < 0 && this.shot && this.moveTo(0, {}));
    this.sizes = new ResizeObserver(() => this.lay());
    this.sizes.observe(this.box);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.onScheme = () => this.lay({ isForced: true });
    this.scheme.addEventListener("change", this.onScheme);
  }

  stop() {
    this.sizes.disconnect();
    this.scheme.removeEventListener("change", this.onScheme);
  }

  set(shot) {
    const before = this.shot;
    this.shot = shot;
    if (!before || before.length !== shot.length) return this.lay({ isForced: true });
    const codes = shot.codes;
    for (let position = 0; position < codes.length; position += 1) {
      if (codes[position] !== before.codes[position]) this.drawCell(position);
    }
  }

  // Choose exactly these positions.
  choose(positions, { focus = positions[0] ?? -1 } = {}) {
    const before = [...this.chosen, this.focus];
    this.chosen = new Set(positions);
    this.focus = this.anchor = focus;
    this.redraw([...before, ...this.chosen]);
    this.reveal();
    this.onChoose(this.chosen, this.focus);
  }

  lay({ isForced = false } = {}) {
    if (!this.shot) return;
    const width = this.box.clientWidth;
    if (!width || (!isForced && width === this.laidWidth)) return;
    this.laidWidth = width;
    const many = this.shot.length * (width < NARROW ? 2 : 1);
    const [, cell, gap] = SIZES.find(([most]) => many <= most);
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    this.gutter = 14 + 7 * String(this.shot.number(this.shot.length - 1)).length;
    this.columns = roundDown(Math.max(1, Math.floor((width - this.gutter) / cell)));
    const fitting = Math.floor(((width - this.gutter) / this.columns) * ratio) / ratio; // whole pixels draw sharp
    Object.assign(this, { gap, cell: Math.min(fitting, cell * MOST_STRETCH) });
    const rows = Math.ceil(this.shot.length / this.columns);
    const [across, down] = [this.gutter + this.columns * this.cell, rows * this.cell + 1];
    this.canvas.width = Math.round(across * ratio);
    this.canvas.height = Math.round(down * ratio);
    this.canvas.style.width = `${across}px`;
    this.canvas.style.height = `${down}px`;
    this.pen = this.canvas.getContext("2d");
    this.pen.scale(ratio, ratio);
    this.readColours();
    this.drawLabels(rows);
    for (let position = 0; position < this.shot.length; position += 1) this.drawCell(position, { isFresh: true });
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    this.colours = this.shot.states.map((state) => read(`--state-${state}`));
    this.ground = read("--surface");
    this.ink = read("--text");
    this.faint = read("--muted");
  }

  drawLabels(rows) {
    const every = Math.max(1, Math.ceil(LABEL_EVERY / this.cell));
    this.pen.fillStyle = this.faint;
    this.pen.font = "11px system-ui, sans-serif";
    this.pen.textAlign = "right";
    this.pen.textBaseline = "middle";
    for (let row = 0; row < rows; row += every) {
      const y = Math.max(6, row * this.cell + (this.cell - this.gap) / 2);
      this.pen.fillText(String(this.shot.number(row * this.columns)), this.gutter - 8, y);
    }
  }

  corner(position) {
    return [this.gutter + (position % this.columns) * this.cell, Math.floor(position / this.columns) * this.cell];
  }

  drawCell(position, { isFresh = false } = {}) {
    if (!this.pen || position < 0) return;
    const { pen, cell } = this;
    const [x, y] = this.corner(position);
    const side = cell - this.gap;
    if (!isFresh) {
      pen.fillStyle = this.ground;
      pen.fillRect(x - this.gap / 2, y - this.gap / 2, cell, cell);
    }
    pen.fillStyle = this.colours[this.shot.codes[position]];
    if (side < 6) {
      pen.fillRect(x, y, side, side);
    } else {
      pen.beginPath();
      pen.roundRect(x, y, side, side, side / 5);
      pen.fill();
      this.drawSign(this.shot.state(position), x, y, side);
    }
    if (this.chosen.has(position) || position === this.focus) this.drawRing(position, x, y, side);
  }

  // What needs a person is marked by shape too, for eyes that tell colours badly.
  drawSign(state, x, y, side) {
    const { pen } = this;
    pen.strokeStyle = pen.fillStyle = this.ground;
    pen.lineWidth = Math.max(1.2, side / 10);
    pen.beginPath();
    const [low, high] = [side * 0.3, side * 0.7];
    if (state === "failed") {
      pen.moveTo(x + low, y + low);
      pen.lineTo(x + high, y + high);
      pen.moveTo(x + high, y + low);
      pen.lineTo(x + low, y + high);
      pen.stroke();
    } else if (state === "soft-failed") {
      pen.arc(x + side / 2, y + side / 2, side / 7, 0, 7);
      pen.fill();
    } else if (state === "active") {
      pen.arc(x + side / 2, y + side / 2, side / 4.5, 0, 7);
      pen.stroke();
    }
  }

  // Inside the cell, so that drawing it again wipes the ring away; cells too small for one are filled.
  drawRing(position, x, y, side) {
    const { pen } = this;
    pen.strokeStyle = pen.fillStyle = this.ink;
    if (side < 6) return pen.fillRect(x, y, side, side);
    const width = position === this.focus ? Math.max(2, side / 8) : Math.max(1.2, side / 14);
    pen.lineWidth = width;
    pen.beginPath();
    pen.roundRect(x + width / 2, y + width / 2, side - width, side - width, side / 6);
    pen.stroke();
  }

  redraw(positions) {
    for (const position of positions) this.drawCell(position);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - this.gutter) / this.cell);
    const row = Math.floor((event.clientY - box.top) / this.cell);
    const position = row * this.columns + column;
    return column >= 0 && column < this.columns && position >= 0 && position < this.shot.length ? position : -1;
  }

  onPointer(event) {
    const position = this.shot ? this.at(event) : -1;
    if (position < 0 || event.button !== 0) return;
    if (event.ctrlKey || event.metaKey) {
      const next = new Set(this.chosen);
      if (!next.delete(position)) next.add(position);
      this.choose([...next].sort((one, other) => one - other), { focus: position });
    } else {
      this.moveTo(position, { isSpan: event.shiftKey });
    }
  }

  onHover(event) {
    const position = this.shot ? this.at(event) : -1;
    this.tip.hidden = position < 0;
    if (position < 0) return;
    setText(this.tip, this.tell(position));
    const [x, y] = this.corner(position);
    const room = this.box.clientWidth - this.tip.offsetWidth - 4;
    this.tip.style.left = `${Math.max(0, Math.min(room, x - this.tip.offsetWidth / 2 + this.cell / 2))}px`;
    this.tip.style.top = `${y < this.box.scrollTop + 40 ? y + this.cell + 6 : y - this.tip.offsetHeight - 6}px`;
  }

  tell(position) {
    return `Frame ${this.shot.number(position)} · ${WORDS[this.shot.state(position)]}`;
  }

  onKey(event) {
    if (!this.shot || !KEYS.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const page = this.columns * Math.max(1, Math.floor(this.box.clientHeight / this.cell) - 1);
    const last = this.shot.length - 1;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns, PageUp: -page, PageDown: page };
    const ends = { Home: 0, End: last };
    const target = ends[event.key] ?? Math.max(0, Math.min(last, this.focus + steps[event.key]));
    this.moveTo(target, { isSpan: event.shiftKey });
  }

  moveTo(position, { isSpan = false }) {
    const anchor = isSpan && this.anchor >= 0 ? this.anchor : position;
    const [low, high] = [Math.min(anchor, position), Math.max(anchor, position)];
    this.choose(Array.from({ length: high - low + 1 }, (_, index) => low + index), { focus: position });
    this.anchor = anchor;
    setText(this.said, this.tell(position));
  }

  reveal() {
    if (this.focus < 0 || !this.cell) return;
    const [, y] = this.corner(this.focus);
    if (y < this.box.scrollTop) this.box.scrollTop = y - this.cell;
    const end = y + 2 * this.cell - this.box.clientHeight;
    if (end > this.box.scrollTop) this.box.scrollTop = end;
  }
}

// Rows that begin with round numbers are easier to read.
function roundDown(columns) {
  if (columns > 20) return columns - (columns % 10);
  return columns > 5 ? columns - (columns % 5) : columns;
}
