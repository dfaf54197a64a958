// Shows a snapshot of the server's state on the page.

const SVG = "http://www.w3.org/2000/svg";
const SPOKEN_STEP = 0.25; // a screen reader hears of each quarter, not of each percent

export class View {
  constructor(page, video) {
    this.page = page;
    this.video = video;
    this.spoken = "";
    this.rows = new Map();
    this.current = null;
    this.onRetry = this.onQuality = this.onAudio = () => {};
    this.at("quality").addEventListener("change", (event) => this.onQuality(event.target.value));
    this.at("audio").addEventListener("change", (event) => this.onAudio(Number(event.target.value)));
    for (const link of page.querySelectorAll("[data-address]")) link.textContent = link.href;
    video.addEventListener("timeupdate", () => this.needle());
  }

  at(id) {
    return this.page.getElementById(id);
  }

  show(status) {
    this.status = status;
    this.tell(status);
    const progress = this.at("progress");
    if (status.progress === undefined) progress.removeAttribute("value");
    else progress.value = status.state === "finished" ? 1 : status.progress;
    progress.hidden = status.state === "failed";
    this.facts(status);
    for (const rung of status.rungs) this.rung(rung);
    this.list("warnings", status.warnings);
    this.wrong(status);
  }

  wrong(status) {
    if (status.error) this.alert("error", status.error);
    else this.unalert("lost");
  }

  /** Says in words how far it is. */
  tell(status) {
    this.at("state").textContent = this.sentence(status);
    this.speak(status);
  }

  sentence(status) {
    switch (status.state) {
      case "reading":
        return "Reading the file …";
      case "finished":
        return "Finished: every quality is ready.";
      case "failed":
        if (status.duration_s === undefined) return "This file can't be played.";
        return status.failures.length ? "Finished, but parts are missing." : "Encoding stopped.";
      default: {
        const parts = [`Encoding ${Math.floor(status.progress * 100)} %`];
        if (status.speed != null) parts.push(`${status.speed.toFixed(1)}×`);
        if (status.eta_s != null) parts.push(`about ${duration(status.eta_s)} left`);
        return parts.join(", ");
      }
    }
  }

  speak(status) {
    const step = Math.floor((status.progress ?? 0) / SPOKEN_STEP) * SPOKEN_STEP;
    const text = status.state === "encoding" ? `Encoding, ${step * 100} percent` : this.sentence(status);
    if (text !== this.spoken) this.at("spoken").textContent = this.spoken = text;
  }

  facts(status) {
    if (status.duration_s === undefined) return;
    const top = status.rungs[0];
    const facts = [duration(status.duration_s)];
    if (top) facts.push(`up to ${top.name}`);
    else facts.push("sound alone");
    if (this.current) facts.push(`playing ${this.current}`);
    this.at("facts").textContent = facts.join(" · ");
  }

  playing(name) {
    this.current = name.startsWith("audio") ? null : name;
    if (this.status) this.facts(this.status);
  }

  rung(rung) {
    const row = this.rows.get(rung.name) ?? this.newRow(rung);
    const done = rung.there.reduce((sum, [start, end]) => sum + end - start, 0);
    row.word.textContent = word(rung, done);
    if (row.drawn === JSON.stringify(rung.there)) return;
    row.drawn = JSON.stringify(rung.there);
    row.strip.replaceChildren(...rung.there.map(([start, end]) => box(start, end)), row.needle);
    row.strip.setAttribute("aria-label", `${Math.floor(done * 100)} % of ${rung.name}`);
  }

  newRow(rung) {
    const item = this.page.createElement("li");
    item.classList.toggle("copied", rung.copied);
    const name = this.page.createElement("span");
    name.className = "name";
    name.textContent = rung.name;
    const strip = this.page.createElementNS(SVG, "svg");
    strip.setAttribute("viewBox", "0 0 1000 10");
    strip.setAttribute("preserveAspectRatio", "none");
    strip.setAttribute("role", "img");
    const needle = this.page.createElementNS(SVG, "line");
    needle.setAttribute("y2", "10");
    const status = this.page.createElement("span");
    status.className = "word";
    item.append(name, strip, status);
    this.at("rungs").append(item);
    const row = { strip, needle, word: status, drawn: "" };
    this.rows.set(rung.name, row);
    return row;
  }

  /** Where playback is, on every strip. */
  needle() {
    const x = this.video.duration > 0 ? (this.video.currentTime / this.video.duration) * 1000 : 0;
    for (const { needle } of this.rows.values()) {
      needle.setAttribute("x1", x);
      needle.setAttribute("x2", x);
    }
  }

  /** What may be chosen: rungs that can be fed, and the sound tracks where there are several. */
  offer({ rungs, audio, audioTrack }) {
    this.at("choices").hidden = rungs.length < 2 && audio.length < 2;
    this.options("quality", [["Automatic", "", true], ...rungs.map((rung) => [rung.name, rung.name, rung.fed])]);
    this.at("audio-choice").hidden = audio.length < 2;
    this.options("audio", audio.map((name, index) => [name, String(index), true]));
    if (audio.length > 1) this.at("audio").value = String(audioTrack);
  }

  options(id, wanted) {
    const select = this.at(id);
    const told = JSON.stringify(wanted);
    if (select.dataset.told === told) return;
    select.dataset.told = told;
    const chosen = select.value;
    select.replaceChildren(
      ...wanted.map(([text, value, enabled]) => {
        const option = new Option(enabled ? text : `${text} (not ready)`, value);
        option.disabled = !enabled;
        return option;
      }),
    );
    if (wanted.some(([, value]) => value === chosen)) select.value = chosen;
  }

  list(id, texts) {
    const list = this.at(id);
    list.hidden = texts.length === 0;
    if (list.childElementCount === texts.length) return;
    list.replaceChildren(
      ...texts.map((text) => {
        const item = this.page.createElement("li");
        item.textContent = text;
        return item;
      }),
    );
  }

  lost() {
    if (this.status?.state === "failed") return; // why is shown already
    this.alert("lost", "No connection to Rushes. What is already loaded still plays; run the command again for the rest.");
  }

  broken(text) {
    this.alert("broken", text, () => {
      this.unalert("broken");
      this.onRetry();
    });
  }

  alert(kind, text, act, label = "Try again") {
    const old = this.page.querySelector(`.alert[data-kind=${kind}]`);
    if (old?.firstChild.textContent === text) return;
    old?.remove();
    const box = this.page.createElement("div");
    box.className = "alert";
    box.dataset.kind = kind;
    const line = this.page.createElement("p");
    line.textContent = text;
    box.append(line);
    if (act) {
      const button = this.page.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", act);
      box.append(button);
    }
    this.at("alerts").append(box);
  }

  unalert(kind) {
    this.page.querySelector(`.alert[data-kind=${kind}]`)?.remove();
  }
}

function word(rung, done) {
  if (rung.complete) return rung.copied ? "ready, as it was" : "ready";
  const percent = `${Math.floor(done * 100)} %`;
  return rung.fed ? `plays now, ${percent}` : `${percent}, later`;
}

function box(start, end) {
  const rect = document.createElementNS(SVG, "rect");
  rect.setAttribute("x", start * 1000);
  rect.setAttribute("width", (end - start) * 1000);
  rect.setAttribute("height", 10);
  return rect;
}

/** 8 s, 3 min 20 s, 2 h 5 min. */
function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return join(Math.floor(whole / 60), "min", whole % 60, "s");
  return join(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
}

function join(large, largeUnit, small, smallUnit) {
  return small ? `${large} ${largeUnit} ${small} ${smallUnit}` : `${large} ${largeUnit}`;
}
