// What the server tells: whole snapshots, each time something changed.

const AGAIN_MS = [1_000, 2_000, 5_000, 15_000];

/**
 * Calls `told(status)` with every snapshot, and `lost()` when the server is gone, which is asked again until it is back.
 * `deleted()` is the last that is heard of a video.
 */
export function follow(address, { told, lost, deleted = () => {} }) {
  let events = null;
  let tries = 0;
  let waiting = null;

  function connect() {
    waiting = null;
    events = new EventSource(address);
    events.addEventListener("status", (event) => {
      tries = 0;
      told(JSON.parse(event.data));
    });
    events.addEventListener("error", () => {
      lost();
      // A lost connection it takes up again by itself; not one that the server has answered with an error.
      if (events.readyState !== EventSource.CLOSED) return;
      waiting ??= setTimeout(connect, AGAIN_MS[Math.min(tries++, AGAIN_MS.length - 1)]);
    });
    events.addEventListener("deleted", () => {
      close();
      deleted();
    });
  }

  function close() {
    clearTimeout(waiting);
    events.close();
  }

  connect();
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
