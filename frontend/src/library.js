// The library: its states stay true while it is looked at, and files may be dropped on it.
import { refresh } from "./lib/live.js";
import { playPreviews } from "./lib/previews.js";
import { takeDrops, Uploads } from "./lib/uploads.js";

const IN_WORK_MS = 2_000;
const AT_REST_MS = 15_000; // others may upload

const list = document.getElementById("uploads");
if (list) {
  const uploads = new Uploads({
    form: document.getElementById("upload"),
    list,
    spoken: document.getElementById("spoken"),
    onSent: refresh,
  });
  takeDrops(document.body, (files) => uploads.add(files));
}

playPreviews(document.getElementById("videos"));

async function keepFresh() {
  for (;;) {
    const inWork = document.querySelector("[data-in-work]") !== null;
    await new Promise((resolve) => setTimeout(resolve, inWork ? IN_WORK_MS : AT_REST_MS));
    if (document.visibilityState === "visible") await refresh();
  }
}

keepFresh();
