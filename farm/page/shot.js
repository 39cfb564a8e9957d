// A job's frames as positions in the shot: which number stands where, and in which state. Pure; draws nothing.

export class Shot {
  // `spans` are [first, last, step], `runs` [how many, index in states], as the head sends them.
  constructor({ spans, runs, states, orders }) {
    this.states = [...states, "active"];
    this.spans = [];
    this.length = 0;
    for (const [first, last, step] of spans) {
      this.spans.push({ first, last, step, start: this.length });
      this.length += Math.floor((last - first) / step) + 1;
    }
    this.codes = new Uint8Array(this.length);
    let start = 0;
    for (const [many, code] of runs) {
      this.codes.fill(code, start, start + many);
      start += many;
    }
    const active = this.states.length - 1;
    for (const order of orders) {
      const position = order.frame === null ? -1 : this.position(order.frame);
      if (position >= 0) this.codes[position] = active;
    }
  }

  number(position) {
    const span = this.spans[this.search((candidate) => candidate.start <= position)];
    return span.first + (position - span.start) * span.step;
  }

  // -1 where the shot has no such frame.
  position(number) {
    const span = this.spans[this.search((candidate) => candidate.first <= number)];
    if (!span || number > span.last || number < span.first || (number - span.first) % span.step) return -1;
    return span.start + (number - span.first) / span.step;
  }

  // The last span for which `isAtOrBefore` holds.
  search(isAtOrBefore) {
    let low = 0;
    let high = this.spans.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (isAtOrBefore(this.spans[middle])) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  state(position) {
    return this.states[this.codes[position]];
  }

  counts() {
    const found = {};
    const numbers = new Uint32Array(this.states.length);
    for (const code of this.codes) numbers[code] += 1;
    this.states.forEach((state, code) => (found[state] = numbers[code]));
    return found;
  }

  positionsOf(state) {
    const wanted = this.states.indexOf(state);
    const found = [];
    this.codes.forEach((code, position) => code === wanted && found.push(position));
    return found;
  }
}
