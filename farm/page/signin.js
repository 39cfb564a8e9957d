// The first thing a browser without a session sees.

import { signInWithToken } from "./api.js";
import { el, setText } from "./dom.js";

export function signInView({ message, onDone }) {
  const field = el("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    maxlength: 512,
  });
  const reason = el("p", { class: "reason", role: "alert" }, message);
  const button = el("button", { class: "main", type: "submit" }, "Sign in");

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    setText(reason, "");
    try {
      await signInWithToken(field.value.trim());
      onDone();
    } catch (error) {
      setText(reason, error.status === 401 ? "This head does not know that token." : error.message);
      field.select();
    } finally {
      button.disabled = false;
    }
  }

  const form = el(
    "form",
    { class: "card signin", onsubmit: submit },
    el("h1", {}, "Sign in"),
    el("label", { for: "token" }, "Your token"),
    field,
    reason,
    button,
    el("p", { class: "hint" }, "On the head's machine ", el("code", {}, "dvp farm open"), " signs you in without it."),
    el("p", { class: "hint" }, "The token itself is not kept. This tab stays signed in for up to twelve hours."),
  );
  queueMicrotask(() => field.focus());
  return { node: form };
}
