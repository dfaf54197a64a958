// The page of `rushes play`.
import "media-chrome";
import "media-chrome/menu";
import { createPlayer, HLS } from "./lib/player.js";
import { record } from "./lib/record.js";
import { follow } from "./lib/status.js";
import { Texts } from "./lib/texts.js";
import { View } from "./lib/view.js";

const video = document.getElementById("video");
const addresses = { all: "/all.m3u8", public: [{ src: "/master.m3u8", type: HLS }] };
const view = new View(document, video);
const texts = new Texts(video);
const log = record(video, "hls.js");
let player = null;

follow("/events", {
  told(status) {
    view.show(status);
    if (status.duration_s === undefined) return; // still being read, or it never could be
    player ??= createPlayer(video, log, view, addresses);
    player.update(status);
    if (player.ownTexts) texts.show(status.subtitles);
  },
  lost: () => view.lost(),
});
