// The browser's own HLS on the public playlist, as a plain <video src> on anybody's page.
import { record } from "./lib/record.js";

const video = document.getElementById("video");
const log = record(video, "native");
video.addEventListener("resize", () => log.level(`${Math.min(video.videoWidth, video.videoHeight)}p`));
video.src = "/master.m3u8";
