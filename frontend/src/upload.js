// The page to upload on. A file that is chosen or dropped is sent at once; the button is for browsers without scripts.
import { takeDrops, Uploads } from "./lib/uploads.js";

const form = document.getElementById("upload");
const input = document.getElementById("file");
const one = form.dataset.method === "PATCH"; // a new file for a video that is there
const uploads = new Uploads({
  form,
  list: document.getElementById("uploads"),
  spoken: document.getElementById("spoken"),
  onIdle(sent) {
    // One file is what its page is for; of several, the list says which is which.
    if (sent.length === 1 && document.querySelectorAll("#uploads > li").length === 1) {
      location.assign(sent[0].page);
    }
  },
});

function take(files) {
  uploads.add(one ? [...files].slice(0, 1) : files);
  input.value = ""; // so that the same file can be chosen again
}

const label = document.getElementById("file-label");
label.textContent = label.dataset.withDrop;
input.multiple = !one;
input.required = false;
form.classList.add("scripted");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (input.files.length) take(input.files);
  else input.click();
});
input.addEventListener("change", () => input.files.length && take([...input.files]));
takeDrops(document.getElementById("drop"), take);
