// dash.js on the manifest.
import { MediaPlayer } from "dashjs";
import { record, renditionOf } from "./lib/record.js";

const video = document.getElementById("video");
const log = record(video, "dash.js");
const player = MediaPlayer().create();
player.updateSettings({
  streaming: {
    fragmentRequestTimeout: 0, // a request may be held for an encoder
    retryAttempts: { MediaSegment: 20, InitializationSegment: 20 }, // a hold that ends in 503 is worth another try
  },
});
player.on(MediaPlayer.events.ERROR, ({ error }) => log.error(`${error.code}: ${error.message}`, true));
player.on(MediaPlayer.events.FRAGMENT_LOADING_COMPLETED, ({ request, error }) => {
  if (error) log.error(`${error.code ?? ""} ${request.url}`, false);
  else if (request.mediaType === "video" && request.type === "MediaSegment") log.level(renditionOf(request.url));
});
log.dash = player;
player.initialize(video, "/manifest.mpd", false);
