// Cards that move while somebody points at them, or has come to them by keyboard.

const POINTED_MS = 250; // a pointer on its way elsewhere starts nothing

/** Plays the preview of whatever link in `list` is pointed at or focused, over its still. */
export function playPreviews(list) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let current = null; // the link
  let soon = 0;
  let moving = null; // the video over its still

  function begin(link) {
    if (link === current) return;
    end();
    const address = link?.querySelector("[data-preview]")?.dataset.preview;
    if (!address || calm.matches || navigator.connection?.saveData) return;
    current = link;
    soon = setTimeout(() => {
      moving = Object.assign(document.createElement("video"), {
        className: "moving",
        muted: true,
        loop: true,
        playsInline: true,
        disablePictureInPicture: true,
        src: address,
      });
      moving.setAttribute("aria-hidden", "true"); // the link has a name already
      moving.tabIndex = -1;
      // Not into the still, which is exchanged whenever the server has news of it.
      link.append(moving);
      moving.play().catch(end); // refused, or gone: the still is there
    }, POINTED_MS);
  }

  function end() {
    clearTimeout(soon);
    moving?.removeAttribute("src");
    moving?.remove();
    current = moving = null;
  }

  const linkOf = (event) => event.target.closest?.("a") ?? null;
  list.addEventListener("pointerover", (event) => {
    if (event.pointerType === "mouse") begin(linkOf(event));
  });
  list.addEventListener("pointerleave", end);
  list.addEventListener("focusin", (event) => {
    if (event.target.matches(":focus-visible")) begin(linkOf(event));
  });
  list.addEventListener("focusout", end);
  calm.addEventListener("change", end);
}
