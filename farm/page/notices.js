// What went wrong or was done, said for a while at the edge of the page; and a question before something is undone.

import { el } from "./dom.js";

const SHOWN_MS = 8000;

export function notify(text, { isGood = false } = {}) {
  const notice = el("p", { class: isGood ? "notice good" : "notice" }, text);
  const close = el("button", { class: "quiet", "aria-label": "Close", onclick: () => notice.remove() }, "×");
  notice.append(close);
  document.getElementById("notices").append(notice);
  setTimeout(() => notice.remove(), SHOWN_MS);
}

// Resolves to whether the person agreed.
export function ask(question, { yes, no }) {
  return new Promise((resolve) => {
    const dialog = el(
      "dialog",
      { class: "question" },
      el("p", {}, question),
      el(
        "div",
        { class: "buttons" },
        el("button", { onclick: () => dialog.close("") }, no),
        el("button", { class: "grave", onclick: () => dialog.close("yes") }, yes),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function tellPulse(error) {
  window.dispatchEvent(new CustomEvent("farm-pulse", { detail: error }));
}
