// The frame around the page's parts: who is signed in, which part the address names, whether the head answers.

import { session, signInWithCode, signOut, recall } from "./api.js";
import { el, setText } from "./dom.js";
import { jobsView } from "./jobs.js";
import { jobView } from "./job.js";
import { notify } from "./notices.js";
import { signInView } from "./signin.js";
import { workersView } from "./workers.js";

const main = document.getElementById("main");
const tabs = document.getElementById("tabs");
const pulse = document.getElementById("pulse");
const person = document.getElementById("person");
let view = null;

const ROUTES = [
  [/^#\/jobs\/([^/]+)(?:\/frames\/(-?\d+))?$/, ([, id, frame]) => jobView(decodeURIComponent(id), frame ?? null)],
  [/^#\/workers$/, () => workersView()],
  [/^/, () => jobsView()],
];

function show(next, title) {
  view?.stop?.();
  view = next;
  main.replaceChildren(next.node);
  document.title = title ? `${title} – Farm` : "Farm";
}

function route() {
  if (!session.user) return;
  const hash = location.hash || "#/jobs";
  if (hash === "#main") return;
  for (const link of tabs.children) {
    const isHere = hash.startsWith(link.getAttribute("href"));
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const [pattern, make] = ROUTES.find(([candidate]) => candidate.test(hash));
  const match = hash.match(pattern);
  if (view?.goTo?.(match)) return;
  const next = make(match);
  show(next, next.title);
}

// Every part tells here whether the head answers.
export function onPulse(error) {
  pulse.classList.toggle("lost", Boolean(error));
  setText(pulse, error ? (error.status ? `Refused: ${error.message}` : "The head does not answer; trying again") : "Live");
}
window.addEventListener("farm-pulse", (event) => onPulse(event.detail));

function showSignIn(message) {
  tabs.hidden = true;
  person.replaceChildren();
  setText(pulse, "");
  show(signInView({ message, onDone: enter }), "Sign in");
}

function enter() {
  tabs.hidden = false;
  person.replaceChildren(
    el("span", { title: `role: ${session.role}` }, session.user),
    el("button", { class: "quiet", onclick: () => signOut().catch((error) => notify(error.message)) }, "Sign out"),
  );
  route();
}

async function start() {
  session.onEnd = showSignIn;
  window.addEventListener("hashchange", route);
  const code = location.hash.match(/^#code=([\w-]+)$/)?.[1];
  if (code) {
    history.replaceState(null, "", "/#/jobs");
    try {
      await signInWithCode(code);
      return enter();
    } catch (error) {
      return showSignIn(error.message);
    }
  }
  if (!session.token) return showSignIn("");
  try {
    await recall();
    enter();
  } catch (error) {
    if (error.status !== 401) showSignIn(error.message);
  }
}

start();
