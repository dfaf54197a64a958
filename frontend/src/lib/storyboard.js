// Pictures above the time line, from the storyboard that the server has made.

/** Gives the player's time line its pictures; `address` is of a WebVTT file, empty where there is none yet. */
export function showStoryboard(video, address) {
  if (!address || video.querySelector("track[label=thumbnails]")) return;
  // media-chrome looks for a track of this kind and label.
  const track = Object.assign(document.createElement("track"), {
    kind: "metadata",
    label: "thumbnails",
    src: address,
  });
  video.append(track);
  track.track.mode = "hidden"; // loads it; a track that is disabled has no cues
}
