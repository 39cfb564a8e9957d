// The frame that was finished last, the chosen one, and the contact sheet. They are fetched with the session's token
// and shown from memory; an address that showed them to whoever has it does not exist.

import { HeadError, jobPath, picture } from "./api.js";
import { el, setAttribute, setText } from "./dom.js";

const NAMES = { newest: "Newest", chosen: "Chosen", sheet: "Contact sheet" };

export class PicturePanel {
  constructor(id, { onStep }) {
    this.id = id;
    this.onStep = onStep;
    this.kind = "newest";
    this.newest = null;
    this.chosen = null;
    this.isChosenFinished = false;
    this.hasSheet = false;
    this.tabs = Object.fromEntries(
      Object.entries(NAMES).map(([kind, name]) => [kind, el("button", { onclick: () => this.pick(kind) }, name)]),
    );
    this.image = el("img", { alt: "" });
    this.large = el("button", { class: "picture", hidden: true, onclick: () => this.enlarge() }, this.image);
    this.words = el("figcaption", { "aria-live": "polite" });
    this.node = el(
      "section",
      { class: "card pictures", "aria-label": "Pictures" },
      (this.chips = el("div", { class: "chips", role: "group", "aria-label": "Which picture" }, Object.values(this.tabs))),
      el("figure", {}, this.large, this.words),
    );
    this.draw();
  }

  set(newest, files, isChosenFinished) {
    this.isChosenFinished = isChosenFinished;
    const sheet = files.find((file) => file.name === "contact.png")?.sha256 ?? null;
    this.hasSheet = sheet !== null;
    this.newest = newest;
    this.draw();
    this.load();
  }

  choose(number, isFinished) {
    this.chosen = number;
    this.isChosenFinished = isFinished;
    this.pick(number === null ? "newest" : "chosen");
  }

  pick(kind) {
    this.kind = kind;
    this.draw();
    clearTimeout(this.timer);
    this.controller?.abort(); // what is on its way must not come over this choice
    this.timer = setTimeout(() => this.load(), 120);
  }

  draw() {
    for (const [kind, tab] of Object.entries(this.tabs)) setAttribute(tab, "aria-pressed", String(kind === this.kind));
    this.tabs.chosen.hidden = this.chosen === null;
    this.tabs.sheet.hidden = !this.hasSheet;
    this.chips.hidden = this.chosen === null && !this.hasSheet;
    setText(this.tabs.chosen, `Frame ${this.chosen}`);
  }

  get path() {
    if (this.kind === "sheet") return jobPath(this.id, "/pictures/contact-sheet");
    const frame = this.kind === "newest" ? this.newest : this.isChosenFinished ? this.chosen : null;
    return frame === null ? null : jobPath(this.id, `/pictures/frames/${frame}`);
  }

  get caption() {
    if (this.kind === "sheet") return "Frames spread over the shot";
    if (this.kind === "newest") return this.newest === null ? "No frame is finished yet." : `Frame ${this.newest}, finished last`;
    return this.isChosenFinished ? `Frame ${this.chosen}` : `Frame ${this.chosen} is not finished.`;
  }

  // One picture at a time: where frames come faster than pictures, the next one fetched is the newest then.
  async load() {
    if (this.isLoading) {
      this.isStale = true;
      return;
    }
    this.isLoading = true;
    this.isStale = false;
    this.controller = new AbortController();
    try {
      await this.fetch(this.controller.signal);
    } finally {
      this.isLoading = false;
    }
    if (this.isStale && !this.isStopped) this.load();
  }

  async fetch(signal) {
    const { path, caption } = this;
    if (path === null) return this.clear(caption);
    try {
      const found = await picture(path, { tag: path === this.shownPath ? this.tag : null, signal });
      if (found) await this.put(found, path, caption, signal);
      else this.describe(caption);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof HeadError)) throw error;
      this.clear(error.message);
    }
  }

  async put({ url, tag }, path, caption, signal) {
    const next = new Image();
    next.src = url;
    try {
      await next.decode(); // so that the old picture stands until the new one can be shown
    } catch {
      URL.revokeObjectURL(url);
      return signal.aborted ? null : this.clear("The file is no picture.");
    }
    if (signal.aborted) return URL.revokeObjectURL(url);
    if (this.url) URL.revokeObjectURL(this.url);
    Object.assign(this, { url, tag, shownPath: path });
    this.image.src = url;
    this.size = `${next.naturalWidth} × ${next.naturalHeight}`;
    this.large.hidden = false;
    this.describe(caption);
    if (this.dialog) this.dialog.querySelector("img").src = url;
  }

  describe(caption) {
    this.image.alt = caption;
    setText(this.words, `${caption} · ${this.size}`);
  }

  clear(caption) {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = this.tag = this.shownPath = null;
    this.image.removeAttribute("src");
    this.large.hidden = true;
    setText(this.words, caption);
  }

  // The picture as large as the window; arrow keys go on to the frames beside it.
  enlarge() {
    if (!this.url) return;
    const image = el("img", { src: this.url, alt: this.image.alt });
    const close = el("button", { class: "quiet", "aria-label": "Close", onclick: () => this.dialog.close() }, "×");
    this.dialog = el("dialog", { class: "large" }, image, close);
    this.dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step && this.kind === "chosen") this.onStep(step);
    });
    this.dialog.addEventListener("click", (event) => event.target !== close && this.dialog.close());
    this.dialog.addEventListener("close", () => {
      this.dialog.remove();
      this.dialog = null;
    });
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    this.controller?.abort();
    this.dialog?.close();
    if (this.url) URL.revokeObjectURL(this.url);
  }
}
