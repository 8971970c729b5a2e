// What 캠페인 생성 needs beyond htmx: moving within the combobox, marking fields that have a problem, saying when a save
// did not get through, and a warning before one leaves with something unsaved.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const form = () => $("builder");

  // ── The combobox: the list comes from the server; this moves within it and chooses ─────────────────────────────────
  const box = () => $("f-cohort");
  const list = () => $("cohort-list");
  const choices = () => [...(list() || document).querySelectorAll('[role="option"]:not([aria-disabled="true"])')];
  const isOpen = () => box() && box().getAttribute("aria-expanded") === "true";

  function activate(option) {
    list().querySelectorAll("[data-active]").forEach((one) => delete one.dataset.active);
    if (!option) return box().removeAttribute("aria-activedescendant");
    option.dataset.active = "";
    box().setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }
  function open() {
    box().setAttribute("aria-expanded", "true");
    list().hidden = false;
    list().scrollIntoView({ block: "nearest" }); // what is fixed to the window's foot would cover it
  }
  function close(restore) {
    if (!box()) return;
    box().setAttribute("aria-expanded", "false");
    activate(null);
    list().hidden = true;
    if (restore) box().value = box().dataset.chosen;
  }
  function choose(option) {
    box().value = box().dataset.chosen = option.dataset.name;
    $("cohort").value = option.dataset.value;
    close(false);
    $("cohort").dispatchEvent(new Event("change", { bubbles: true }));
  }
  const ask = () => box().dispatchEvent(new Event("builder:open"));

  document.addEventListener("keydown", (event) => {
    if (event.target !== box() || event.isComposing || event.keyCode === 229) return; // Enter ends a syllable before it chooses
    const all = choices();
    const at = all.findIndex((one) => one.id === box().getAttribute("aria-activedescendant"));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen()) return ask();
      activate(all[(at + (event.key === "ArrowDown" ? 1 : at < 0 ? 0 : -1) + all.length) % all.length]);
    } else if (event.key === "Home" || event.key === "End" || event.key === "PageDown" || event.key === "PageUp") {
      if (!isOpen() || at < 0) return;
      event.preventDefault();
      const to = { Home: 0, End: all.length - 1, PageDown: Math.min(at + 5, all.length - 1), PageUp: Math.max(at - 5, 0) };
      activate(all[to[event.key]]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (isOpen() && all[at]) choose(all[at]);
      else if (!isOpen()) ask();
    } else if (event.key === "Escape" && isOpen()) {
      event.preventDefault();
      close(true);
    }
  });
  // Pressing an option leaves the focus where one types.
  document.addEventListener("mousedown", (event) => {
    if (event.target.closest("#cohort-list")) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (!box()) return;
    const option = event.target.closest('#cohort-list [role="option"]');
    if (option) {
      if (option.getAttribute("aria-disabled") !== "true") choose(option);
    } else if (event.target === box() || event.target.closest("[data-combobox] .search")) {
      if (!isOpen()) ask();
    } else if (isOpen() && !event.target.closest("[data-combobox]")) {
      close(true);
    }
  });
  document.addEventListener("focusout", (event) => {
    if (event.target === box() && isOpen() && event.relatedTarget && !event.relatedTarget.closest("[data-combobox]")) close(true);
  });
  // The name of what is chosen isn't what one searches for when the list is only opened.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt === box() && box().value === box().dataset.chosen) event.detail.parameters["cohort-q"] = "";
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!event.target || event.target.id !== "cohort-list" || document.activeElement !== box()) return;
    const chosen = $(`option-${$("cohort").value}`);
    if (chosen) chosen.setAttribute("aria-selected", "true");
    open();
    activate(box().value === box().dataset.chosen ? chosen : choices()[0]);
    $("cohort-said").textContent = list().querySelector(".combobox__foot").textContent;
  });

  // ── 문구 변수 추가: what the dialog answers goes to the cursor ──────────────────────────────────────────────────────
  const visited = new WeakSet(); // fields whose cursor somebody has set
  document.addEventListener("focusin", (event) => visited.add(event.target));
  function put(field, text, from, to) {
    field.setRangeText(text, from, to, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  document.addEventListener("builder:insert", (event) => {
    const field = $(`f-${event.detail.field}`);
    const dialog = document.querySelector("dialog[data-dialog][open]");
    if (!field) return;
    if (dialog) dialog.dataset.back = field.id;
    const end = field.value.length;
    put(field, event.detail.text, visited.has(field) ? field.selectionStart : end, visited.has(field) ? field.selectionEnd : end);
    if (dialog) dialog.close();
  });
  document.addEventListener("builder:set", (event) => {
    const field = $(`f-${event.detail.field}`);
    if (field && field.value !== event.detail.text) field.value = event.detail.text;
  });
  document.addEventListener("click", (event) => {
    const pick = event.target.closest("[data-fill]");
    if (pick) {
      $(pick.dataset.fill).value = pick.dataset.value;
      $(pick.dataset.fill).focus();
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  });
  // A link that plays a button is pressed with the space bar, too.
  document.addEventListener("keydown", (event) => {
    if (event.key === " " && event.target.matches('a[role="button"]')) {
      event.preventDefault();
      event.target.click();
    }
  });

  // ── The phone: a save draws it anew for the person and the message that were asked for last ───────────────────────
  let wanted = "";
  document.addEventListener("htmx:configRequest", (event) => {
    const asker = event.detail.elt;
    if (asker.matches("#preview a")) wanted = new URL(asker.getAttribute("hx-get"), location.href).search;
    else if (asker.id === "preview" && wanted) event.detail.path = new URL(event.detail.path, location.href).pathname + wanted;
  });

  // ── Problems: a field whose place for them is filled is invalid ────────────────────────────────────────────────────
  // Each answer to a save brings all that there are, but for those of a file: it is looked at only when it is chosen.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const asked = event.detail.requestConfig;
    if (!asked || asked.verb !== "post" || !form() || !form().contains(asked.elt) || event.detail.xhr.status === 409) return;
    document.querySelectorAll(".field__errors").forEach((place) => {
      const field = $(place.id.replace("error-", "f-"));
      const isOfFile = field && field.type === "file" && field.files.length;
      if (!isOfFile || field === asked.elt) place.replaceChildren();
    });
  });
  document.addEventListener("htmx:afterSettle", () => {
    document.querySelectorAll(".field__errors").forEach((place) => {
      const field = $(place.id.replace("error-", "f-"));
      if (!field) return;
      if (place.childElementCount) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    });
  });

  // ── 이벤트 기반 발송 goes on until somebody ends it, unless they say when ─────────────────────────────────────────────
  let presumed = false; // that it is 무기한 발송: taken back with the choice that it came with
  document.addEventListener("change", ({ target }) => {
    const forever = $("f-forever");
    if (target === forever) presumed = false;
    if (target.id === "occasion-event" && !forever.checked && !$("f-end").value) forever.checked = presumed = true;
    if (target.id === "occasion-scheduled" && presumed) forever.checked = presumed = false;
  }, true);

  // ── Saving: whatever was typed since the last save that got through is unsaved ─────────────────────────────────────
  let unsaved = false;
  let timer = 0;
  const touched = new Set(); // ids of what was written since the last save was sent
  for (const kind of ["input", "change"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.form !== form()) return;
      unsaved = true;
      touched.add(event.target.id);
    });
  }
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!form() || !form().contains(event.detail.elt) || event.detail.requestConfig.verb !== "post") return;
    unsaved = false;
    touched.clear();
  });
  // A save does what the pressed button is for, and only that save: not one that was waiting or is sent while the button
  // still has the focus.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt !== form()) return;
    const cause = event.detail.triggeringEvent;
    const button = cause && cause.type === "submit" ? cause.submitter : null;
    if (button && button.name) event.detail.parameters[button.name] = button.value;
    else delete event.detail.parameters.do;
  });
  // What is written while an answer is under way outlives the part that the answer brings anew.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    for (const field of event.detail.fragment.querySelectorAll("input, select, textarea")) {
      const now = touched.has(field.id) && $(field.id);
      if (!now || field.type === "file") continue;
      if (field.type === "radio" || field.type === "checkbox") field.checked = now.checked;
      else if (field.tagName !== "SELECT" || [...field.options].some((one) => one.value === now.value)) field.value = now.value;
    }
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!form() || event.detail.elt !== form()) return;
    const status = event.detail.xhr ? event.detail.xhr.status : 0;
    const failed = status === 0 || status >= 500 || status === 403 || status === 429;
    if ($("not-saved")) $("not-saved").hidden = !failed;
    if ($("saved")) $("saved").toggleAttribute("data-failed", failed);
    clearTimeout(timer);
    if (failed) {
      unsaved = true;
      timer = setTimeout(() => htmx.trigger(form(), "change"), 4000);
    }
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsaved && form()) event.preventDefault();
  });
  document.addEventListener("submit", () => { unsaved = false; }, true);
})();
