// What happened to a video, for the tests and the benchmarks: window.__rushes.

/**
 * Starts to record what the element itself tells, and returns the record; a player's adapter adds `errors` and `levels`.
 * Times are in seconds of the page's clock, positions in seconds of the video.
 */
export function record(video, player) {
  const log = {
    player,
    errors: [], // {what, fatal, at}: also those that the player mended by itself
    fatal: 0,
    stalls: [], // {position, start, duration}: waits after the first picture moved, without those for a seek
    seeks: [], // {position, start, duration}: until the picture moved again
    levels: [], // {name, position}: each rung that was loaded, in the order of switches
    firstMoved: null,
    ended: null,
    error(what, fatal) {
      log.errors.push({ what, fatal, at: now() });
      if (fatal) log.fatal += 1;
    },
    level(name) {
      if (log.levels.at(-1)?.name !== name) log.levels.push({ name, position: video.currentTime });
    },
    get ranges() {
      return Array.from(video.buffered, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
    },
  };
  let wait = null;
  let seek = null;
  const now = () => performance.now() / 1000;
  const settle = (open, list) => {
    if (open) list.push({ ...open, duration: now() - open.start });
    return null;
  };

  video.addEventListener("waiting", () => {
    if (log.firstMoved !== null && !seek && !video.seeking) wait ??= { position: video.currentTime, start: now() };
  });
  video.addEventListener("seeking", () => {
    wait = null;
    seek = { position: video.currentTime, start: seek?.start ?? now() };
  });
  video.addEventListener("timeupdate", () => {
    if (video.paused || video.seeking || video.currentTime === 0) return;
    if (seek && video.currentTime <= seek.position) return;
    log.firstMoved ??= now();
    wait = settle(wait, log.stalls);
    seek = settle(seek, log.seeks);
  });
  video.addEventListener("ended", () => {
    log.ended = now();
  });
  video.addEventListener("error", () => log.error(video.error?.message || `media error ${video.error?.code}`, true));
  window.__rushes = log;
  return log;
}

/** "720p" of ".../720p/video.m3u8" and of ".../720p/<key>/3.m4s" alike, wherever they lie; null of other addresses. */
export function renditionOf(url) {
  const [, playlist, segment] =
    new URL(url, location.href).pathname.match(/([^/]+)\/(?:video|audio)\.m3u8$|([^/]+)\/[^/]+\/[^/]+\.(?:m4s|mp4)$/) ?? [];
  return playlist ?? segment ?? null;
}

/** 3 of ".../3.m4s", whatever comes after it in the address; 0 of an init segment. */
export function numberOf(url) {
  return Number(new URL(url, location.href).pathname.match(/(\d+)\.m4s$/)?.[1] ?? 0);
}
