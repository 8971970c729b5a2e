// What the console's pages need beyond htmx: dialogs, copying, rows to click, toasts, and patience with a server that
// is away. Every listener is on the document, so that fragments swapped in later need no set-up. Words come from data-*.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);

  // ── Toasts and notices ───────────────────────────────────────────────────────────────────────────────────────────
  function toast(text, bad = false) {
    const place = $("toasts");
    if (!place || !text) return;
    const box = document.createElement("div");
    box.className = bad ? "toast toast--bad" : "toast";
    const words = document.createElement("p");
    words.textContent = text;
    box.append(words);
    // A modal dialog makes the rest of the page inert, so what is said goes inside it.
    const dialog = document.querySelector("dialog[open]");
    const home = dialog ? dialog.querySelector(".toasts") || dialog.appendChild(Object.assign(document.createElement("div"), { className: "toasts toasts--fixed" })) : place;
    home.setAttribute("aria-live", "polite");
    home.append(box);
    setTimeout(() => box.remove(), 6000);
  }
  document.addEventListener("console:toast", (event) => toast(event.detail.text, event.detail.bad));

  // ── Copying ──────────────────────────────────────────────────────────────────────────────────────────────────────
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      toast(button.dataset.notCopied, true);
      return;
    }
    const pill = button.closest(".value-pill");
    if (pill) {
      pill.dataset.state = "copied";
      setTimeout(() => delete pill.dataset.state, 2000);
    }
    toast(button.dataset.copied);
  });

  // ── Rows: a click anywhere on one follows its link, without taking the link from the keyboard ─────────────────────
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-href]");
    if (!row || event.defaultPrevented || event.target.closest("a, button, input, select, summary, label")) return;
    if (String(window.getSelection())) return;
    const link = $(row.dataset.href);
    if (!link) return;
    if (event.ctrlKey || event.metaKey) window.open(link.href, "_blank", "noopener");
    else link.click();
  });
  // A new tab is a new tab: htmx must not take the click.
  document.addEventListener("htmx:confirm", (event) => {
    const cause = event.detail.triggeringEvent;
    if (cause && (cause.ctrlKey || cause.metaKey || cause.shiftKey) && event.detail.elt.tagName === "A") {
      event.preventDefault();
      window.open(event.detail.elt.href, "_blank", "noopener");
    }
  });

  // ── Dialogs: a fragment with data-dialog opens as it arrives; its address stands in the address bar while it is open ──
  let leaving = false; // the address has been given back already
  function openDialog(dialog) {
    if (dialog.open) return;
    const opener = document.activeElement && document.activeElement !== document.body ? document.activeElement.id : "";
    dialog.dataset.back = opener || dialog.dataset.opener || "";
    // A dialog that takes another one's place takes its place in the history, too.
    const go = history.state && history.state.dialog ? "replaceState" : "pushState";
    if (location.pathname !== dialog.dataset.address) history[go]({ dialog: true }, "", dialog.dataset.address);
    leaving = false;
    dialog.showModal();
    dialog.addEventListener("close", () => {
      const back = $(dialog.dataset.back) || $(dialog.dataset.opener);
      if (!leaving && history.state && history.state.dialog) history.back();
      dialog.remove();
      if (back) back.focus();
    }, { once: true });
  }
  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = event.detail.target.querySelector && event.detail.target.querySelector("dialog[data-dialog]");
    if (dialog) openDialog(dialog);
  });
  // A click beside the dialog closes it.
  document.addEventListener("click", (event) => {
    if (event.target instanceof HTMLDialogElement && event.target.matches("[data-dialog][open]")) {
      const box = event.target.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside && event.detail) event.target.close();
    }
  });
  // The back button closes an open dialog and nothing else; the forward button brings its address back as a page.
  window.addEventListener("popstate", (event) => {
    const dialog = document.querySelector("dialog[data-dialog][open]");
    if (dialog) {
      event.stopImmediatePropagation();
      leaving = true;
      dialog.close();
    } else if (event.state && event.state.dialog) {
      location.reload();
    } else if (closing()) {
      event.stopImmediatePropagation();
    }
  }, true);
  // history.back() of a dialog that closed itself arrives here a moment later, and htmx would load the page again.
  let closedAt = 0;
  document.addEventListener("close", (event) => {
    if (event.target.matches && event.target.matches("[data-dialog]")) closedAt = performance.now();
  }, true);
  const closing = () => closedAt && performance.now() - closedAt < 1000;

  // ── Polling: not while nobody looks; and what comes back must be the fragment, not a sign-in page ──────────────────
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches("[data-poll]") && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const asked = new URL(event.detail.requestConfig.path, location.href);
    const answered = event.detail.xhr.responseURL ? new URL(event.detail.xhr.responseURL) : asked;
    if (answered.pathname.startsWith("/accounts/") && !asked.pathname.startsWith("/accounts/")) {
      event.detail.shouldSwap = false;
      location.reload();
    }
  });

  // ── What is pressed isn't drawn anew until it is let go: a click on what was taken away meanwhile would be lost ─────
  let held = null; // what the pointer went down on
  const late = []; // the requests whose answers would have taken it away
  document.addEventListener("pointerdown", (event) => { held = event.target; }, true);
  for (const kind of ["pointerup", "pointercancel"]) {
    document.addEventListener(kind, () => setTimeout(() => {
      held = null;
      for (const { elt, path } of late.splice(0)) if (elt.isConnected) htmx.ajax("GET", path, { source: elt });
    }), true);
  }
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { requestConfig: asked, target } = event.detail;
    if (!held || !event.detail.shouldSwap || asked.verb !== "get" || !target.contains(held)) return;
    event.detail.shouldSwap = false;
    late.push(asked);
  });

  // ── What one gives a field while an answer is under way stays in it, though the answer brings the field anew ───────
  const given = new Map(); // by the field's id: the value, and when
  const untold = new Set(); // fields that got theirs back, and that nobody is in: the page hears of it once it has settled
  let asked = 0; // when the request was sent whose answer is being put in
  const GIVEN = "textarea, select, input:is([type=text], [type=search], [type=number], [type=tel], :not([type]))";
  const tell = (field) => field.dispatchEvent(new Event("change", { bubbles: true }));
  document.addEventListener("input", ({ target: field }) => {
    if (field.id && field.matches(GIVEN)) given.set(field.id, { value: field.value, at: performance.now() });
  }, true);
  document.addEventListener("htmx:beforeSend", (event) => { event.detail.requestConfig.sentAt = performance.now(); });
  document.addEventListener("htmx:beforeOnLoad", (event) => { asked = event.detail.requestConfig.sentAt || 0; });
  function keepGiven(event) {
    for (const [id, { value, at }] of given) {
      if (at <= asked) { given.delete(id); continue; }
      const field = $(id);
      if (!field || field.value === value || !event.target.contains(field)) continue;
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      // The browser knows of no change: it was another field that was typed in.
      if (field === document.activeElement) field.addEventListener("blur", () => tell(field), { once: true });
      else untold.add(field);
    }
  }
  document.addEventListener("htmx:afterSwap", keepGiven);
  document.addEventListener("htmx:oobAfterSwap", keepGiven);
  document.addEventListener("htmx:afterSettle", () => {
    const fields = [...untold];
    untold.clear();
    fields.forEach(tell);
  });

  // ── Patience: a press that the server could not take is sent again until it is taken ──────────────────────────────
  const PRESSED = "console-pressed";
  const EVERY_MS = 3000;
  const PATIENCE_MS = 120000;
  const AWAY = [0, 502, 503, 504];
  let timer = 0;

  function notice(text) {
    const place = $("notices");
    if (!place) return;
    place.replaceChildren();
    if (!text) return;
    const box = document.createElement("div");
    box.className = "notice notice--warn run-notice";
    box.setAttribute("role", "alert");
    const words = document.createElement("p");
    words.className = "notice__title";
    words.textContent = text;
    box.append(words);
    place.append(box);
  }
  const pressed = () => {
    try { return JSON.parse(sessionStorage.getItem(PRESSED)); } catch { return null; }
  };
  function forget() {
    clearTimeout(timer);
    timer = 0;
    sessionStorage.removeItem(PRESSED);
  }
  function tryAgain(form) {
    const since = (pressed() || {}).since || Date.now();
    if (Date.now() - since > PATIENCE_MS) {
      forget();
      notice(form.dataset.retryOver);
      return;
    }
    sessionStorage.setItem(PRESSED, JSON.stringify({ action: form.action, since }));
    if (!timer) notice(form.dataset.retryWaiting);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const current = form.isConnected ? form : document.querySelector("form[data-retry]");
      if (current) current.requestSubmit();
    }, EVERY_MS);
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    // An answer may have swapped the form away: then the event comes from what is left, and only this remembers it.
    const form = (event.detail.requestConfig || event.detail).elt;
    if (!form.matches || !form.matches("form[data-retry]")) return;
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    if (AWAY.includes(status)) {
      tryAgain(form);
    } else if (pressed()) {
      forget();
      notice("");
    }
  });
  // Whatever else could not be done says so; a poll just asks again.
  function sayFailed(event) {
    const asker = event.detail.elt;
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    if (!asker.matches || asker.matches("[data-poll], [data-quiet], form[data-retry]") || status === 422) return;
    const words = $("toasts");
    if (words) toast(AWAY.includes(status) ? words.dataset.away : words.dataset.failed, true);
  }
  document.addEventListener("htmx:responseError", sayFailed);
  document.addEventListener("htmx:sendError", sayFailed);
  // The page was left or loaded again before the press got through.
  document.addEventListener("DOMContentLoaded", () => {
    const left = pressed();
    const form = document.querySelector("form[data-retry]");
    if (!left || !form || form.action !== left.action) return;
    if (Date.now() - left.since > PATIENCE_MS) forget();
    else form.requestSubmit();
  });

  // ── Menus: a fragment with data-menu opens as it arrives, beside what asked for it. (It has no id: htmx would hand the
  // style of one to the next as an attribute, which the content security policy forbids.) ────────────────────────────
  document.addEventListener("htmx:afterSwap", (event) => {
    const menu = event.detail.target.querySelector && event.detail.target.querySelector("[popover][data-menu]");
    const asker = event.detail.requestConfig && event.detail.requestConfig.elt;
    if (!menu || !asker) return;
    menu.showPopover();
    const at = asker.getBoundingClientRect();
    const below = at.bottom + menu.offsetHeight + 8 < window.innerHeight;
    menu.style.left = `${Math.max(8, Math.min(at.right - menu.offsetWidth, window.innerWidth - menu.offsetWidth - 8))}px`;
    menu.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - menu.offsetHeight - 4)}px`;
    const first = menu.querySelector("a, button");
    if (first) first.focus();
    // By Escape the focus goes back to what asked; by a click it is where the click was.
    menu.addEventListener("toggle", (change) => {
      if (change.newState !== "closed") return;
      const back = document.getElementById(asker.id) || asker;
      if (menu.contains(document.activeElement) || document.activeElement === document.body) back.focus();
    });
  });
  // A link that is a button goes by the space bar, too.
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || !event.target.matches || !event.target.matches("a[role='button']")) return;
    event.preventDefault();
    event.target.click();
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest && event.target.closest("[data-menu], [data-arrows]");
    if (!menu || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const items = [...menu.querySelectorAll("a, button, input[type='search']")];
    const step = event.key === "ArrowDown" ? 1 : -1;
    const next = items[(items.indexOf(document.activeElement) + step + items.length) % items.length];
    if (next) next.focus();
    event.preventDefault();
  });

  // ── Popovers: a choice made in a menu closes it ────────────────────────────────────────────────────────────────────
  document.addEventListener("click", (event) => {
    const menu = event.target.closest(".menu[popover]");
    if (menu && event.target.closest("button") && menu.matches(":popover-open")) menu.hidePopover();
  });
})();
