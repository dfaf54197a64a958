// The page of `rushes play`.
import Hls from "hls.js";
import "media-chrome";

const video = document.querySelector("video");
const hls = new Hls();
hls.loadSource("master.m3u8");
hls.attachMedia(video);
