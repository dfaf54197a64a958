// hls.js on a stream whose segments may not be there yet.
import Hls from "hls.js";
import { fedAbrController } from "./abr.js";
import { OrderedBufferController } from "./buffer.js";
import { numberOf, renditionOf } from "./record.js";

const HOLD_MS = 30_000; // how long the server holds a request before it answers 503
// A better rung replaces what is buffered only where that is worth it; nearer parts are soon played anyway.
const REPLACE_AHEAD_S = 10;

export const HLS = "application/vnd.apple.mpegurl";

/**
 * Drives `video`; the result's `update(status)` takes what the server tells.
 *
 * `addresses.all` is the playlist of every rung, whether it can be fed yet or not; `addresses.public` are the
 * {src, type} that any player may take, the best first.
 */
export function createPlayer(video, log, view, addresses) {
  return Hls.isSupported() ? new HlsPlayer(video, log, view, addresses.all) : new NativePlayer(video, addresses.public);
}

class HlsPlayer {
  constructor(video, log, view, playlist) {
    this.ownTexts = true; // its playlist names no subtitles: the page adds them, whenever they come
    this.video = video;
    this.view = view;
    this.log = log;
    this.playlist = playlist;
    this.status = { rungs: [], failures: [] };
    this.fed = null; // names of fed rungs; null before the first snapshot
    this.better = false; // a rung came to them that has not been thought of yet
    this.hls = null;
  }

  update(status) {
    this.status = status;
    const before = this.fed;
    this.fed = new Set(status.rungs.filter((rung) => rung.fed).map((rung) => rung.name));
    if (!this.hls) this.start();
    else this.better ||= [...this.fed].some((name) => !before.has(name));
    this.view.offer(this.choices());
  }

  start() {
    const hls = new Hls({
      abrController: fedAbrController((level) => this.isFed(level)),
      bufferController: OrderedBufferController,
      // The server is near, and what it holds back is not the line's fault: begin with the best that is fed.
      abrEwmaDefaultEstimate: 50_000_000,
      testBandwidth: false,
      // A rung that becomes ready should be seen soon; hls.js would fill minutes ahead with a small one.
      maxBufferLength: 30,
      maxMaxBufferLength: 30,
      enableWorker: false, // CMAF needs no transmuxing, and a worker would be a blob: script
      fragLoadPolicy: { default: this.policy(120_000) },
      playlistLoadPolicy: { default: this.policy(60_000) },
      manifestLoadPolicy: { default: this.policy(60_000) },
    });
    this.hls = hls;
    this.log.hls = hls;
    hls.on(Hls.Events.ERROR, (_, data) => this.onError(data));
    hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => {
      if (frag.type === "main" && frag.sn !== "initSegment") this.log.level(renditionOf(frag.url));
    });
    hls.on(Hls.Events.FRAG_CHANGED, (_, { frag }) => {
      this.view.playing(renditionOf(frag.url));
      if (this.better) this.takeUp();
    });
    hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => this.view.offer(this.choices()));
    this.view.onRetry = () => hls.startLoad(this.video.currentTime);
    this.view.onQuality = (name) => {
      hls.nextLevel = name === "" ? -1 : hls.levels.findIndex((level) => renditionOf(level.uri) === name);
    };
    this.view.onAudio = (index) => {
      hls.audioTrack = index;
    };
    hls.loadSource(this.playlist);
    hls.attachMedia(this.video);
  }

  /** A request may be held, then answered 503, and be worth another try, unless its chunk will never come. */
  policy(loadMs) {
    return {
      maxTimeToFirstByteMs: HOLD_MS * 2,
      maxLoadTimeMs: HOLD_MS * 2 + loadMs,
      timeoutRetry: { maxNumRetry: 10, retryDelayMs: 0, maxRetryDelayMs: 0 },
      errorRetry: {
        maxNumRetry: 1000,
        retryDelayMs: 500,
        maxRetryDelayMs: 4000,
        shouldRetry: (_, __, ___, response, retry) => retry && !this.failure(response?.url),
      },
    };
  }

  isFed(level) {
    // Sound alone has no rungs to choose from.
    return this.fed === null || this.fed.size === 0 || this.fed.has(renditionOf(level.uri));
  }

  /** Why a segment will never come; undefined where it will, as far as is known. */
  failure(url) {
    if (!url) return undefined;
    if (this.status.state === "failed") return this.status.error ?? "encoding stopped";
    const rendition = renditionOf(url);
    const number = numberOf(url);
    return this.status.failures.find(
      (failed) => failed.rendition === rendition && number >= failed.first_segment && number <= failed.last_segment,
    )?.reason;
  }

  /**
   * A rung can be fed now that could not: show it soon, without touching what plays at this moment. Called when a
   * segment begins to play: hls.js replaces from the next one on, which is then as far away as it can be.
   */
  takeUp() {
    const { hls, video } = this;
    this.better = false;
    if (!hls.autoLevelEnabled || hls.loadLevel < 0 || hls.abrController.reconsider() <= hls.loadLevel) return;
    const ahead = this.log.ranges.find(([start, end]) => start <= video.currentTime && video.currentTime < end);
    if (ahead && ahead[1] - video.currentTime > REPLACE_AHEAD_S) hls.nextLevel = -1;
  }

  onError(data) {
    if (data.details === Hls.ErrorDetails.INTERNAL_ABORTED) return; // what it has cancelled itself, for a seek
    this.log.error(`${data.type}: ${data.details}${data.response ? ` (${data.response.code})` : ""}`, data.fatal);
    const reason = this.failure(data.response?.url ?? data.frag?.url);
    const elsewhere = this.hls.levels.some((level) => this.isFed(level) && level.loadError === 0);
    if (reason !== undefined && (data.fatal || !elsewhere || data.frag?.type === "audio")) {
      // Whatever is buffered still plays; asking on would only repeat the answer.
      this.hls.stopLoad();
      this.view.broken(`This part can't be shown: ${reason}`);
    } else if (data.fatal && data.type === Hls.ErrorTypes.MEDIA_ERROR) {
      this.hls.recoverMediaError();
    } else if (data.fatal) {
      this.view.broken(`Playback stopped: ${data.error?.message ?? data.details}`);
    }
  }

  choices() {
    return {
      rungs: this.status.rungs,
      audio: (this.hls?.audioTracks ?? []).map((track) => track.name || track.lang || `Track ${track.id + 1}`),
      audioTrack: this.hls?.audioTrack ?? 0,
    };
  }
}

/** Where there are no Media Source Extensions (an iPhone): what the browser plays by itself. */
class NativePlayer {
  ownTexts = false; // the playlist has them

  constructor(video, sources) {
    video.append(
      ...sources.map(({ src, type }) => Object.assign(document.createElement("source"), { src, type })),
    );
    video.load();
  }

  update() {}
}
