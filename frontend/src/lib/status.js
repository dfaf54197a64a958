// What the server tells: whole snapshots, each time something changed.

/** Calls `told(status)` with every snapshot, and `lost()` when the server is gone; EventSource comes back by itself. */
export function follow({ told, lost }) {
  const events = new EventSource("/events");
  events.addEventListener("status", (event) => told(JSON.parse(event.data)));
  events.addEventListener("error", lost);
  addEventListener("pagehide", () => events.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
