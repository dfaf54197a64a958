// The page of `rushes play`.
import "media-chrome";
import { createPlayer, HLS } from "./lib/player.js";
import { record } from "./lib/record.js";
import { follow } from "./lib/status.js";
import { View } from "./lib/view.js";

const video = document.getElementById("video");
const addresses = { all: "/all.m3u8", public: [{ src: "/master.m3u8", type: HLS }] };
const view = new View(document, video);
const log = record(video, "hls.js");
let player = null;

follow("/events", {
  told(status) {
    view.show(status);
    if (status.duration_s === undefined) return; // still being read, or it never could be
    player ??= createPlayer(video, log, view, addresses);
    player.update(status);
  },
  lost: () => view.lost(),
});
