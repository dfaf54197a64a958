// Sends files one after the other, each with its progress: the first can be watched while the next is sent.

const SPOKEN_STEP = 0.25; // a screen reader hears of each quarter, not of each percent

export class Uploads {
  /**
   * `form` says where to (data-api, data-method; data-photos for photos, where they are taken) and holds the token against forgery; `list` gets a row for each file,
   * `spoken` is a role=status. `onSent(sent)` is called for each file that the server has taken, with its `page`, `onIdle(all)`
   * when nothing is left to send, with all that was taken since it last was.
   */
  constructor({ form, list, spoken, onSent = () => {}, onIdle = () => {} }) {
    Object.assign(this, { form, list, spoken, onSent, onIdle });
    this.waiting = [];
    this.sent = [];
    this.current = null;
    addEventListener("beforeunload", (event) => this.current && event.preventDefault());
  }

  add(files) {
    for (const file of files) {
      const row = new Row(file.name, () => this.cancel(row));
      row.file = file;
      this.list.append(row.item);
      this.waiting.push(row);
    }
    this.list.hidden = this.list.childElementCount === 0;
    this.next();
  }

  next() {
    if (this.current) return;
    const row = this.waiting.shift();
    if (row) this.send(row);
    else {
      const sent = this.sent;
      this.sent = [];
      this.onIdle(sent);
    }
  }

  send(row) {
    const request = new XMLHttpRequest();
    this.current = { row, request };
    let told = 0;
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      row.progress(loaded, total);
      const step = Math.floor(loaded / total / SPOKEN_STEP) * SPOKEN_STEP;
      if (step > told && step < 1) this.say(`${row.name}: ${step * 100} percent sent`);
      told = step;
    });
    request.upload.addEventListener("load", () => row.say("Sent, being looked at …"));
    request.addEventListener("load", () => this.answered(row, request));
    request.addEventListener("error", () => this.failed(row, "The connection broke off. Try again."));
    request.addEventListener("abort", () => this.failed(row, "Cancelled.", { quiet: true }));
    row.address ??= this.addressOf(row.file);
    request.open(this.form.dataset.method, row.address);
    request.setRequestHeader("accept", "application/json");
    request.setRequestHeader("x-csrftoken", this.form.elements.csrfmiddlewaretoken.value);
    const body = new FormData();
    const visibility = this.form.elements.visibility?.value;
    if (visibility) body.append("visibility", visibility);
    body.append("file", row.file); // last: what is said of a file is known before it comes
    request.send(body);
    row.say("Starting …");
    this.say(`Uploading ${row.name}`);
  }

  /** Browsers go by a file's name, the server by what is in it: a photo that is none is sent once more, as a video. */
  addressOf(file) {
    const { api, photos } = this.form.dataset;
    const likely = /^image\/(?!gif)/.test(file.type) || /\.(heic|heif|avif)$/i.test(file.name);
    return photos && likely ? photos : api;
  }

  answered(row, request) {
    const answer = readJson(request.responseText);
    const { api, photos } = this.form.dataset;
    const other = { is_photo: photos, not_a_photo: api }[answer?.error?.code];
    if (other && !row.moved) {
      row.moved = true;
      row.address = other;
      this.send(row);
    } else if (request.status >= 200 && request.status < 300 && answer?.public_id) {
      answer.page = `/${row.address === photos ? "p" : "v"}/${answer.public_id}/`;
      row.done(answer.page);
      this.say(`${row.name} is uploaded`);
      this.sent.push(answer);
      this.finish();
      this.onSent(answer);
    } else {
      this.failed(row, errorOf(answer, request.status));
    }
  }

  failed(row, reason, { quiet = false } = {}) {
    row.failed(reason, () => {
      row.item.remove();
      this.add([row.file]);
    });
    if (quiet) this.say(`${row.name}: ${reason}`);
    this.finish();
  }

  cancel(row) {
    if (this.current?.row === row) return this.current.request.abort();
    this.waiting = this.waiting.filter((other) => other !== row);
    row.item.remove();
    return undefined;
  }

  finish() {
    this.current = null;
    // Not at once: what the last one calls may leave the page, and so must find nothing under way.
    queueMicrotask(() => this.next());
  }

  say(text) {
    this.spoken.textContent = text;
  }
}

/** Takes files that are dropped anywhere on the page; `zone` shows where they may be. */
export function takeDrops(zone, take) {
  const files = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => !event.relatedTarget && zone.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  });
}

/** One file's line: its name, how far it is, and what can be done about it. */
class Row {
  constructor(name, onCancel) {
    this.name = name;
    this.item = document.createElement("li");
    this.title = element("span", "name", name);
    this.bar = element("progress", "");
    this.bar.max = 1;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", `${name}, sent so far`);
    this.word = element("span", "word", "Waiting");
    this.button = element("button", "", "Cancel");
    this.button.type = "button";
    this.button.setAttribute("aria-label", `Cancel ${name}`);
    this.button.addEventListener("click", onCancel);
    this.item.append(this.title, this.bar, this.word, this.button);
  }

  say(text) {
    this.word.textContent = text;
  }

  progress(loaded, total) {
    this.bar.value = loaded / total;
    this.say(`${Math.floor((loaded / total) * 100)} % of ${size(total)}`);
  }

  done(page) {
    this.bar.value = 1;
    this.button.remove();
    const link = element("a", "name", this.name);
    link.href = page;
    this.title.replaceWith(link);
    this.say("Uploaded");
  }

  failed(reason, onRetry) {
    this.item.classList.add("failed");
    this.bar.remove();
    this.word.setAttribute("role", "alert");
    this.say(reason);
    const again = element("button", "", "Try again");
    again.type = "button";
    again.setAttribute("aria-label", `Try ${this.name} again`);
    again.addEventListener("click", onRetry);
    this.button.replaceWith(again);
  }
}

function element(name, kind, text = "") {
  const made = document.createElement(name);
  made.className = kind;
  made.textContent = text;
  return made;
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's page, or nothing
  }
}

/** The sentence of the API's error, with what it says of the file itself. */
function errorOf(answer, status) {
  const error = answer?.error;
  const ofFile = Object.values(error?.fields ?? {}).flat().filter((text) => !error.message?.includes(text));
  if (error?.message) return [error.message, ...ofFile].join(" ");
  return status === 413 ? "The file is too large." : `The server could not take it (${status}). Try again.`;
}

/** 512 kB, 3.4 MB, 2.1 GB. */
function size(bytes) {
  const [unit, name] = [[1e9, "GB"], [1e6, "MB"]].find(([least]) => bytes >= least) ?? [1e3, "kB"];
  return `${(bytes / unit).toFixed(unit === 1e3 ? 0 : 1)} ${name}`;
}
