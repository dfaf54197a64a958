// Keeps a page as the server would render it at this moment. Words have one home, the server's templates: elements
// marked data-live are exchanged for those of a fresh copy of the page, and lists marked data-live-list gain and lose
// items by their ids.

const RETRY_MS = 2_000;

let asking = false; // one request at a time: answers could overtake one another
let outdated = false; // what has been asked for is older than what is wanted

/** Takes over what is new in the page as it is from this moment on; where the server is away, as soon as it is back. */
export async function refresh() {
  outdated = true;
  if (asking) return;
  asking = true;
  while (outdated) {
    outdated = false;
    const fresh = await asked();
    if (fresh === undefined) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      outdated = true;
    } else if (!outdated && fresh !== null) adopt(fresh);
  }
  asking = false;
}

/** The page as it is now; null where this is no longer the reader's to see, undefined where nobody can tell. */
async function asked() {
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.redirected || (answer.status >= 400 && answer.status < 500)) return null;
    return answer.ok ? parse(await answer.text()) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Forms marked data-live-submit are sent without leaving the page, so that nothing that plays is interrupted.
 * `onFailed` is called where the server can't be reached.
 */
export function submitInPlace(onFailed) {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-live-submit]")) return;
    event.preventDefault();
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form, event.submitter) });
      const fresh = parse(await answer.text());
      // A page of another kind, such as the one to sign in on: then it is to be seen.
      if (fresh.body.dataset.page !== document.body.dataset.page) location.assign(answer.url);
      else {
        adopt(fresh, form);
        if (asking) outdated = true; // the answer on its way may be from before this was sent
      }
    } catch {
      onFailed();
    }
  });
}

function parse(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

/** `sent` is the form whose answer this is: it is exchanged although the focus may be in it. */
function adopt(fresh, sent = null) {
  document.title = fresh.title;
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || old.isEqualNode(now)) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    if (!old.contains(sent) && (focused || edited(old))) {
      focused?.addEventListener("blur", () => refresh(), { once: true });
      continue; // somebody is at work in it
    }
    old.replaceWith(document.importNode(now, true));
    if (focused?.id) document.getElementById(focused.id)?.focus();
  }
  for (const old of document.querySelectorAll("[data-live-list]")) {
    const now = fresh.getElementById(old.id);
    if (now) adoptItems(old, now);
  }
}

/** Whether somebody has changed what is in its fields, and not sent it yet. */
function edited(element) {
  return [...element.querySelectorAll("input, textarea, option")].some((field) =>
    field.matches("option")
      ? field.selected !== field.defaultSelected
      : field.value !== field.defaultValue || field.checked !== field.defaultChecked,
  );
}

function adoptItems(list, fresh) {
  for (const item of [...list.children]) {
    if (!fresh.querySelector(`#${CSS.escape(item.id)}`)) item.remove();
  }
  let before = null;
  for (const item of [...fresh.children].reverse()) {
    let here = document.getElementById(item.id);
    if (!here) {
      here = document.importNode(item, true);
      list.insertBefore(here, before);
    }
    before = here;
  }
}
