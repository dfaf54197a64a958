// A photo's page: while it is being prepared the page is asked for again; words and picture are the server's.
import { refresh, submitInPlace } from "./lib/live.js";

const LOOK_MS = 1_000;

setInterval(() => {
  if (document.querySelector("[data-in-work]") && document.visibilityState === "visible") refresh();
}, LOOK_MS);

submitInPlace(() => {
  const alert = document.createElement("div");
  alert.className = "alert";
  alert.textContent = "That could not be sent: there is no connection to Rushes. Try again.";
  document.getElementById("alerts").replaceChildren(alert);
});
