// Elements out of data. Text goes in as text alone, so that nothing a job or a log says can become markup.

const SVG = "http://www.w3.org/2000/svg";

// el("button", {class: "quiet", onclick: f, "aria-label": "Close"}, "text", child, ...)
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? "" : String(value));
}

// Bring a parent's children in line with `items`: rows are made once by key, updated in place and keep their focus.
export function keyed(parent, items, { key, make, update }) {
  const rows = (parent.rowsByKey ??= new Map());
  const wanted = items.map(key);
  for (const [name, row] of rows) {
    if (!wanted.includes(name)) {
      row.node.remove();
      rows.delete(name);
    }
  }
  let place = parent.firstElementChild;
  items.forEach((item, index) => {
    let row = rows.get(wanted[index]);
    if (!row) rows.set(wanted[index], (row = make(item)));
    update(row, item);
    if (row.node === place) place = place.nextElementSibling;
    else parent.insertBefore(row.node, place);
  });
}

// A word said aloud by screen readers, and to nobody else.
export function announcer() {
  return el("p", { class: "unseen", "aria-live": "polite" });
}
