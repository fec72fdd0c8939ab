// What the pages do in a browser beyond their links and forms. Each works without it.
"use strict";

// The reader's own kind of the page's language: one writes days first, another months.
const language = document.documentElement.lang;
const locale = navigator.languages.find((one) => one.startsWith(language)) ?? language;
const OFF = "tenure_keys_off";
const SEARCH = "#search"; // leads from a page without a search to that of the list

/* Moments: written in UTC by the service, here in the reader's own zone. */

const inZone = new Intl.DateTimeFormat(locale, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
  timeZoneName: "short",
});
for (const time of document.querySelectorAll("time[datetime$='Z']")) {
  time.title = time.textContent.trim();
  time.textContent = inZone.format(new Date(time.dateTime));
}

/* A connection that is lost: nothing is sent or left, so that what was typed stays. */

const lost = document.getElementById("lost");
const found = document.getElementById("found");

function tellConnection(isBack) {
  lost.hidden = navigator.onLine;
  found.hidden = !(navigator.onLine && isBack);
}

function stayWhileOffline(event) {
  if (navigator.onLine || (event.type === "click" && !event.target.closest("a[href]"))) return;
  event.preventDefault();
  tellConnection(false);
  lost.scrollIntoView({ block: "nearest" });
}

addEventListener("offline", () => tellConnection(false));
addEventListener("online", () => tellConnection(true));
addEventListener("submit", stayWhileOffline);
addEventListener("click", stayWhileOffline);
tellConnection(false);

/* A form that keeps what was typed: it is sent beside the page first. A service that is away loses
   nothing so, and one that answers is asked again for its page: the same form is recorded once. */

const unsent = document.getElementById("unsent");
const KEEPING = new Set(["/feedback", "/feedback/undo", "/disagreements"]);
const PATIENCE = 15_000; // milliseconds
let isSending = false;
let isAnswered = false;

async function answers(form, button, to) {
  try {
    const answer = await fetch(to, {
      method: "POST",
      body: new URLSearchParams(new FormData(form, button)),
      headers: { accept: "text/html" },
      redirect: "manual",
      signal: AbortSignal.timeout?.(PATIENCE),
    });
    return answer.status < 500;
  } catch {
    return false;
  }
}

async function sendKept(event) {
  const { target: form, submitter: button } = event;
  const to = button?.hasAttribute("formaction") ? button.formAction : form.action;
  if (event.defaultPrevented || isAnswered || !KEEPING.has(new URL(to).pathname)) return;
  event.preventDefault();
  if (isSending) return;
  isSending = true;
  isAnswered = await answers(form, button, to);
  unsent.hidden = isAnswered;
  if (isAnswered) form.requestSubmit(button);
  else unsent.scrollIntoView({ block: "nearest" });
  isSending = isAnswered = false;
}

addEventListener("submit", sendKept);

/* Keys: single letters, so they can be turned off (WCAG 2.1.4). */

const help = document.getElementById("keys");
const areOn = document.getElementById("keys-on");

function kept(change) {
  try {
    return change(localStorage);
  } catch {
    return null; // a browser that keeps nothing: the keys are on until the page is left
  }
}

function isTyping(target) {
  return target.closest("input:not([type=checkbox], [type=radio]), select, textarea") !== null;
}

function move(step) {
  const links = [...document.querySelectorAll("main tbody th a[href]")];
  const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const wanted = here === -1 ? (step > 0 ? 0 : links.length - 1) : here + step;
  links[Math.min(Math.max(wanted, 0), links.length - 1)]?.focus();
}

function showKeys() {
  help.open = !help.open;
  if (help.open) help.querySelector("summary").focus();
}

function search() {
  const field = document.querySelector("input[type=search]");
  const list = document.querySelector(".site a[href='/']");
  if (!field && list) location.assign(`${list.href}${SEARCH}`);
  field?.focus();
  field?.select();
}

const KEYS = { j: () => move(1), k: () => move(-1), "/": search, "?": showKeys };

addEventListener("keydown", (event) => {
  const isPlain = !(event.ctrlKey || event.altKey || event.metaKey || event.isComposing);
  const act = isPlain && areOn.checked && !isTyping(event.target) && KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
areOn.checked = kept((store) => store.getItem(OFF)) === null;
areOn.addEventListener("change", () => {
  kept((store) => (areOn.checked ? store.removeItem(OFF) : store.setItem(OFF, "1")));
});
help.hidden = false;
if (location.hash === SEARCH && document.querySelector("input[type=search]")) search();
