// What hls.js 1.7 thinks of pictures that are shown in another order than they are stored.
import Hls from "hls.js";

const SHIFT_S = 0.5; // more than any reordering, less than any segment

/**
 * A bufferController that knows where our segments lie. hls.js takes the composition offset of a segment's first picture
 * for a delay, as it does not read the edit list that takes it back. A segment then seems to end some pictures after what
 * is buffered of it, and one that is loaded once more, in another rung, seems to have added nothing: it would report an
 * error, and the third time treat the segment as a hole.
 */
export class OrderedBufferController extends Hls.DefaultConfig.bufferController {
  checkAppendProgress(frag, part, chunkMeta, types) {
    const buffers = this.sourceBuffers.filter(([type]) => types.includes(type)).map(([, buffer]) => buffer);
    if (buffers.length > 0 && buffers.every((buffer) => holds(buffer, frag))) return;
    super.checkAppendProgress(frag, part, chunkMeta, types);
  }
}

function holds({ buffered }, frag) {
  return Array.from(
    buffered,
    (_, i) => buffered.start(i) <= frag.start && frag.end - SHIFT_S <= buffered.end(i),
  ).includes(true);
}
