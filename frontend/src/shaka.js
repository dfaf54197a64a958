// Shaka Player on the public playlist; `?manifest.mpd` plays the manifest instead.
import shaka from "shaka-player";
import { record } from "./lib/record.js";

const video = document.getElementById("video");
const log = record(video, "shaka");

/** Measures the line, not the encoder: the first packet's time without the time to the first byte. */
class PatientAbrManager extends shaka.abr.SimpleAbrManager {
  segmentDownloaded(deltaTimeMs, numBytes, allowSwitch, request, context) {
    const waitedMs = request?.packetNumber === 1 ? (request.timeToFirstByte ?? 0) : 0;
    super.segmentDownloaded(Math.max(1, deltaTimeMs - waitedMs), numBytes, allowSwitch, request, context);
  }
}

shaka.polyfill.installAll();
const player = new shaka.Player();
// A held request must not time out, and one that was refused is asked again in even steps.
const patient = { timeout: 0, stallTimeout: 0, connectionTimeout: 0, backoffFactor: 1, baseDelay: 1000, maxAttempts: 60 };
player.configure({
  abrFactory: () => new PatientAbrManager(),
  abr: {
    cacheLoadThreshold: 0, // from near by, a segment that was waited for arrives as fast as one from a cache
    droppedFrames: false, // what is tried here is the stream, not how fast this machine decodes
  },
  streaming: { retryParameters: patient },
  manifest: { retryParameters: patient },
});
player.addEventListener("error", ({ detail }) => log.error(`shaka ${detail.code}`, detail.severity === 2));
for (const change of ["adaptation", "variantchanged", "trackschanged"]) {
  player.addEventListener(change, () => {
    const track = player.getVariantTracks().find((variant) => variant.active);
    if (track?.height) log.level(`${Math.min(track.width, track.height)}p`);
  });
}
log.shaka = player;
await player.attach(video);
try {
  await player.load(`/${location.search.slice(1) || "master.m3u8"}`);
} catch (error) {
  log.error(`shaka ${error.code}: ${error.message}`, true);
}
