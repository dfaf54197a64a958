// Which rung hls.js takes, where some can't be fed yet and a request may wait for an encoder.
import Hls from "hls.js";

const Base = Hls.DefaultConfig.abrController;

/**
 * An abrController that takes only levels for which `isFed(level)` is true when asked, and that does not mistake a wait
 * for a slow line: bandwidth is measured from the first byte on, and no request is abandoned because it waits.
 */
export function fedAbrController(isFed) {
  return class FedAbrController extends Base {
    initEstimator() {
      const estimator = super.initEstimator();
      // The time to the first byte is the encoder's, and says nothing about the next request.
      estimator.sampleTTFB = () => {};
      return estimator;
    }

    get firstAutoLevel() {
      return this.fedLevel(super.firstAutoLevel);
    }

    get nextAutoLevel() {
      return this.fedLevel(super.nextAutoLevel);
    }

    // hls.js sets it to leave a level that has errors, without a thought of which are fed.
    set nextAutoLevel(level) {
      super.nextAutoLevel = this.fedLevel(level);
    }

    /** The level to take next, chosen anew: hls.js keeps its choice until the next segment is loaded. */
    reconsider() {
      this._nextAutoLevel = -1;
      this.nextAutoLevelKey = "";
      return this.nextAutoLevel;
    }

    onFragLoading(event, data) {
      super.onFragLoading(event, data);
      // The check that this started aborts what does not come, in favour of a rung that is not there either.
      this.clearTimer();
    }

    onFragBuffered(event, { frag, part }) {
      const stats = part?.stats.loaded ? part.stats : frag.stats;
      if (stats.aborted || frag.type !== "main" || frag.sn === "initSegment") return;
      this.bwEstimator.sample(stats.loading.end - stats.loading.first, stats.loaded);
      stats.bwEstimate = this.bwEstimator.getEstimate();
    }

    /** The best fed level that is not above `level`; the lowest fed one where all are above. */
    fedLevel(level) {
      const levels = this.hls?.levels ?? [];
      if (level < 0 || level >= levels.length) return level;
      const fed = levels.map((_, index) => index).filter((index) => isFed(levels[index]));
      return fed.filter((index) => index <= level).at(-1) ?? fed[0] ?? level;
    }
  };
}
