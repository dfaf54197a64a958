// The page of `rushes play`.
import "media-chrome";
import { createPlayer } from "./lib/player.js";
import { record } from "./lib/record.js";
import { follow } from "./lib/status.js";
import { View } from "./lib/view.js";

const video = document.getElementById("video");
const view = new View(document, video);
const log = record(video, "hls.js");
let player = null;

follow({
  told(status) {
    view.show(status);
    if (status.duration_s === undefined) return; // still being read, or it never could be
    player ??= createPlayer(video, log, view);
    player.update(status);
  },
  lost: () => view.lost(),
});
