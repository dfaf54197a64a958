// Subtitles of a video, as text tracks of the player: they may come while it plays, long after its playlist was read.

export class Texts {
  constructor(video) {
    this.video = video;
    this.shown = new Map(); // track elements by address
    this.chosen = false; // somebody has said what they want to read: nothing is switched on by itself any more
    this.read = undefined; // the one that is switched on
    video.textTracks.addEventListener("change", () => {
      // Thumbnails over the time line are a track, too: that they come is nobody's choice.
      if (this.read === this.shownNow()) return;
      this.read = this.shownNow();
      this.chosen ||= !this.changing;
    });
  }

  /** `subtitles`: what the server tells of each, in the menu's order. */
  show(subtitles) {
    const told = new Set(subtitles.map(({ url }) => key(url)));
    for (const [name, element] of this.shown) {
      if (told.has(name)) continue;
      element.remove();
      this.shown.delete(name);
    }
    this.read = this.shownNow();
    for (const subtitle of subtitles) {
      if (!this.shown.has(key(subtitle.url))) this.shown.set(key(subtitle.url), this.added(subtitle));
    }
  }

  added({ url, kind, label, language, default: byDefault }) {
    const element = document.createElement("track");
    Object.assign(element, { kind, label, src: url });
    if (language) element.srclang = language;
    this.changing = true;
    this.video.append(element);
    // A browser looks for defaults once; this one may have come later. What is not to be shown has to be said, too:
    // Chromium, where one text is shown, shows each that comes to it and whose mode no script has ever changed.
    const shown = byDefault && !this.chosen && !this.shownNow();
    element.track.mode = "hidden";
    element.track.mode = shown ? "showing" : "disabled";
    // The browser tells of a change in a task of its own.
    setTimeout(() => {
      this.changing = false;
    }, 100);
    return element;
  }

  shownNow() {
    return [...this.video.textTracks].find(({ kind, mode }) => mode === "showing" && kind !== "metadata");
  }
}

/** What a text is known by: its token in the address changes with the hour. */
function key(url) {
  return url.split("?")[0];
}
