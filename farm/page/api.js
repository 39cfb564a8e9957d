// The head's API: who is signed in, one call, and a question asked again and again. Draws nothing.
//
// The session's token stands in this tab's sessionStorage and goes out in a header alone, so no other site can use it.

const PREFIX = "/api/v1";
const KEY = "dvp-farm-session";
let clockOffsetS = 0;

export class HeadError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const session = {
  get token() {
    return sessionStorage.getItem(KEY);
  },
  user: null,
  role: null,
  onEnd: () => {},
};

// Seconds since 1970 by the head's clock.
export function headNow() {
  return Date.now() / 1000 + clockOffsetS;
}

async function request(path, { method = "GET", body, headers = {}, token = session.token, signal } = {}) {
  const all = { ...headers };
  if (token) all.Authorization = `Bearer ${token}`;
  if (body !== undefined) all["Content-Type"] = "application/json";
  const options = { method, headers: all, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  if (body !== undefined) options.body = JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(PREFIX + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new HeadError("the head does not answer", 0);
  }
  const date = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isFinite(date)) clockOffsetS = (date - Date.now()) / 1000;
  if (!answer.ok && answer.status !== 304) await refuse(answer, token);
  return answer;
}

async function refuse(answer, token) {
  let reason = `the head answered ${answer.status}`;
  try {
    reason = (await answer.json()).error ?? reason;
  } catch {
    // An answer that is no JSON has no reason to show.
  }
  if (answer.status === 401 && token && token === session.token) forget("Your session has ended.");
  throw new HeadError(reason, answer.status);
}

export async function call(path, options) {
  return (await request(path, options)).json();
}

// A user's own token is used once, for a code, and not kept.
export async function signInWithToken(token) {
  if (!/^[\w.~+/=-]+$/.test(token)) throw new HeadError("that is no token", 401);
  const { code } = await call("/session-codes", { method: "POST", body: {}, token });
  await signInWithCode(code);
}

export async function signInWithCode(code) {
  const made = await call("/sessions", { method: "POST", body: { code }, token: null });
  sessionStorage.setItem(KEY, made.token);
  session.user = made.user;
  session.role = made.role;
}

export async function recall() {
  const who = await call("/session");
  session.user = who.user;
  session.role = who.role;
}

export async function signOut() {
  try {
    await call("/session", { method: "DELETE" });
  } finally {
    forget("");
  }
}

function forget(message) {
  sessionStorage.removeItem(KEY);
  session.user = session.role = null;
  session.onEnd(message);
}

export function jobPath(id, rest = "") {
  return `/jobs/${encodeURIComponent(id)}${rest}`;
}

export function act(id, action, body = {}) {
  return call(jobPath(id, `/${action}`), { method: "POST", body });
}

// A picture as an address that an image can show; null where it is the one of `tag` still.
export async function picture(path, { tag, signal } = {}) {
  const answer = await request(path, { headers: tag ? { "If-None-Match": tag } : {}, signal });
  if (answer.status === 304) return null;
  return { url: URL.createObjectURL(await answer.blob()), tag: answer.headers.get("etag") };
}

// Asks again and again, quietly while nothing changes, not at all while nobody looks.
export class Poller {
  constructor(path, { everyMs, onData, onState = () => {} }) {
    Object.assign(this, { path, everyMs, onData, onState });
    this.tag = null;
    this.failures = 0;
    this.isStopped = this.isAsking = this.isStale = false;
    this.controller = new AbortController();
    this.onVisible = () => document.visibilityState === "visible" && this.poke();
    document.addEventListener("visibilitychange", this.onVisible);
    this.poke();
  }

  // Ask now; where an answer is on its way, once more after it, so that a slow head is not asked in vain.
  poke() {
    if (this.isStopped) return;
    if (this.isAsking) this.isStale = true;
    else this.ask(this.controller.signal);
  }

  async ask(signal) {
    clearTimeout(this.timer);
    this.isAsking = true;
    this.isStale = false;
    try {
      const headers = this.tag ? { "If-None-Match": this.tag } : {};
      const answer = await request(this.path, { headers, signal });
      if (answer.status !== 304) {
        const data = await answer.json();
        if (this.isStopped) return;
        this.tag = answer.headers.get("etag");
        this.onData(data);
      }
      this.failures = 0;
      this.onState(null);
    } catch (error) {
      if (error.name === "AbortError" || this.isStopped) return;
      if (!(error instanceof HeadError)) throw error;
      this.failures += 1;
      this.onState(error);
    } finally {
      this.isAsking = false;
    }
    if (this.isStopped || document.visibilityState !== "visible") return;
    const waitMs = this.isStale ? 0 : this.everyMs * Math.min(8, 2 ** this.failures);
    this.timer = setTimeout(() => this.poke(), waitMs);
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    this.controller.abort();
    document.removeEventListener("visibilitychange", this.onVisible);
  }
}
