// A video's page: it plays as soon as there is something to play.
import "media-chrome";
import "media-chrome/menu";
import { refresh, submitInPlace } from "./lib/live.js";
import { createPlayer, HLS } from "./lib/player.js";
import { record } from "./lib/record.js";
import { follow } from "./lib/status.js";
import { showStoryboard } from "./lib/storyboard.js";
import { Texts } from "./lib/texts.js";
import { View } from "./lib/view.js";

const REFRESH_MS = 1_500; // words need not change more often; the first change is shown at once

const screen = document.getElementById("screen");
const controller = document.getElementById("player");
const video = document.getElementById("video");

/** The words of this page are the server's: here is only noticed that there are new ones. */
class WatchView extends View {
  told = "";
  asked = null;
  askedAtMs = -REFRESH_MS;

  tell(status) {
    const { state, playable, progress_percentage, queue_position, error, version, subtitles } = status;
    const names = subtitles?.map(({ name, label }) => name + label);
    const told = JSON.stringify([
      ...[state, status.status, playable, progress_percentage, queue_position, error, version, names],
    ]);
    if (told === this.told) return;
    this.told = told;
    const dueMs = this.askedAtMs + REFRESH_MS - performance.now();
    this.asked ??= setTimeout(() => {
      this.asked = null;
      this.askedAtMs = performance.now();
      refresh().then(storyboard); // it may have come meanwhile
    }, dueMs);
  }

  wrong() {
    this.unalert("lost"); // what is wrong with the video is among the words
  }

  lost() {
    if (this.status?.state === "failed") return;
    this.alert("lost", "No connection to Rushes. What is already loaded still plays; the rest comes when it is back.");
  }
}

const storyboard = () => showStoryboard(video, document.getElementById("storyboard").value);
storyboard();

const view = new WatchView(document, video);
const texts = new Texts(video);
const log = record(video, "hls.js");
const { all, master, mp4, events } = screen.dataset;
const addresses = {
  all,
  public: [{ src: master, type: HLS }, ...(mp4 ? [{ src: mp4, type: "video/mp4" }] : [])],
};
const waitedFor = controller.hidden; // somebody who waits for a video wants it to begin by itself
let player = null;
let version; // of what plays: another comes when it was encoded again, or from another file

follow(events, {
  told(status) {
    view.show(status);
    if (!status.playable || status.duration_s === undefined) return;
    if (player && status.version !== version) {
      // What plays stays: its files are kept for as long as it may take to watch.
      view.alert("newer", "There is a newer version of this video.", () => location.reload(), "Show it");
      return;
    }
    version = status.version;
    if (!player) {
      controller.hidden = false;
      document.getElementById("curtain")?.replaceChildren();
      player = createPlayer(video, log, view, addresses);
      // A browser may refuse; then there is the button.
      if (waitedFor) video.addEventListener("canplay", () => video.play().catch(() => {}), { once: true });
    }
    player.update(status);
    if (player.ownTexts) texts.show(status.subtitles);
  },
  lost: () => view.lost(),
  deleted: () => view.alert("deleted", "This video was deleted. What is already loaded still plays."),
});

submitInPlace(() => view.alert("unsent", "That could not be sent: there is no connection to Rushes. Try again."));
