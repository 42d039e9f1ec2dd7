// What the pages gain with JavaScript: times in the reader's zone, rows that refresh
// by themselves, select all, copy. Without it everything can still be read and done.
(() => {
  "use strict";
  const EVERY = 5000;
  const main = document.getElementById("main");
  const texts = main ? JSON.parse(main.dataset.texts) : {};

  // -- times ----------------------------------------------------------------

  const CLOCK = {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
  };
  const clock = new Intl.DateTimeFormat(undefined, CLOCK);
  const dated = new Intl.DateTimeFormat(undefined, { year: "numeric", ...CLOCK });
  const full = new Intl.DateTimeFormat(undefined, {
    dateStyle: "full", timeStyle: "long",
  });
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
  const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 365]];

  function inWords(moment) {
    let amount = (moment - Date.now()) / 1000;
    if (Math.abs(amount) < 1.5) return texts.now;
    for (const [unit, size] of STEPS) {
      if (Math.abs(amount) < size || unit === "day") {
        return relative.format(Math.trunc(amount), unit);
      }
      amount /= size;
    }
    return "";
  }

  function onTheClock(moment) {
    const isThisYear = moment.getFullYear() === new Date().getFullYear();
    return (isThisYear ? clock : dated).format(moment);
  }

  function tellTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      const words = time.dataset.time === "clock" ? onTheClock(moment) : inWords(moment);
      if (time.textContent !== words) time.textContent = words;
      if (!time.title) time.title = full.format(moment);
    }
  }

  // -- asking for a time ------------------------------------------------------

  // The server reads and writes these fields in UTC, and says so; people type in their
  // own zone.
  const TIMES = 'input[type="datetime-local"]';
  const written = (moment) => moment.toISOString().slice(0, 16);

  for (const field of document.querySelectorAll(TIMES)) {
    if (field.value) {
      const moment = new Date(`${field.value}Z`);
      field.value = written(new Date(moment - moment.getTimezoneOffset() * 60000));
    }
  }
  for (const words of document.querySelectorAll("[data-utc]")) words.hidden = true;
  for (const words of document.querySelectorAll("[data-zone]")) words.hidden = false;

  document.addEventListener("formdata", (event) => {
    for (const field of event.target.querySelectorAll(TIMES)) {
      if (field.value) event.formData.set(field.name, written(new Date(field.value)));
    }
  });

  // -- selecting ------------------------------------------------------------

  const BOX = 'input[type="checkbox"][form="bulk"]';
  const boxes = () => [...document.querySelectorAll(BOX)];

  function countSelected() {
    const form = document.querySelector("[data-bulk]");
    if (!form) return;
    const all = boxes();
    const ticked = all.filter((box) => box.checked).length;
    form.querySelector("[data-count]").textContent =
      ticked ? texts.selected.replace("{n}", ticked) : "";
    for (const every of document.querySelectorAll("[data-all]")) {
      every.hidden = false;
      if (every.parentElement.hidden) every.parentElement.hidden = false;
      every.checked = all.length > 0 && ticked === all.length;
      every.indeterminate = ticked > 0 && ticked < all.length;
    }
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) {
      for (const box of boxes()) box.checked = event.target.checked;
    }
    countSelected();
  });

  // -- copying --------------------------------------------------------------

  function showCopy(root) {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    button.textContent = texts.copied;
    setTimeout(() => { button.textContent = texts.copy; }, 2000);
  });

  // -- refreshing -----------------------------------------------------------

  const parts = () => [...document.querySelectorAll("[data-live]")];
  const bar = document.querySelector(".live");
  const seen = new Map();
  let paused = false;
  let busy = false;

  // Every form's token differs from answer to answer without meaning anything.
  const plain = (html) => html.replace(/(name="csrf_token" value=")[^"]*/g, "$1");

  function say(words, isTrouble) {
    bar.hidden = false;
    bar.classList.toggle("trouble", Boolean(isTrouble));
    bar.querySelector(".live-words").textContent = words;
  }

  function keep(part) {
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    return {
      ticked: new Set([...part.querySelectorAll("input:checked")].map((box) => box.value)),
      open: [...part.querySelectorAll("details[open]")].map((one) => one.id),
      active: active && { id: active.id, name: active.name, value: active.value, href: active.href },
    };
  }

  function restore(part, kept) {
    for (const box of part.querySelectorAll(BOX)) {
      box.checked = kept.ticked.has(box.value);
    }
    for (const id of kept.open) {
      const one = document.getElementById(id);
      if (one) one.open = true;
    }
    if (!kept.active) return;
    const same = [...part.querySelectorAll("a, button, input, select, summary")].find((one) =>
      one.id ? one.id === kept.active.id
        : one.name === kept.active.name && one.value === kept.active.value
          && one.href === kept.active.href);
    if (same) same.focus({ preventScroll: true });
  }

  // Somebody writes there: what they typed is worth more than fresh numbers.
  function isTyping(part) {
    const active = document.activeElement;
    return part.contains(active) && active.matches('input:not([type="checkbox"]), textarea, select')
      || [...part.querySelectorAll('input:not([type]), input[type="text"]')]
        .some((field) => !field.readOnly && field.value !== field.defaultValue);
  }

  function swap(fresh) {
    const before = document.querySelector("[data-announce]");
    const said = before && before.textContent;
    for (const part of parts()) {
      const next = fresh.getElementById(part.id);
      if (!next || isTyping(part)) continue;
      const html = plain(next.innerHTML);
      if (seen.get(part.id) === html) continue;
      seen.set(part.id, html);
      const kept = keep(part);
      part.replaceChildren(...next.childNodes);
      restore(part, kept);
      tellTimes(part);
      showCopy(part);
    }
    const after = document.querySelector("[data-announce]");
    if (after && after.textContent !== said) {
      document.getElementById("announce").textContent = after.textContent;
      document.title = fresh.title;
    }
    countSelected();
  }

  async function refresh() {
    if (busy || paused || document.hidden) return;
    busy = true;
    try {
      const answer = await fetch(location.href, {
        headers: { "X-Live": "1" }, redirect: "manual", cache: "no-store",
        signal: AbortSignal.timeout(15000),
      });
      if (answer.type === "opaqueredirect") {
        say(texts.logged_out, true);
        paused = true;
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
      say(texts.live_at.replace("{time}", new Date().toLocaleTimeString()));
    } catch {
      say(texts.cut_off, true);
    } finally {
      busy = false;
    }
  }

  if (main) {
    tellTimes(document);
    showCopy(document);
    countSelected();
    setInterval(() => tellTimes(document), 1000);
  }
  if (bar && parts().length) {
    say(texts.live);
    setInterval(refresh, EVERY);
    document.addEventListener("visibilitychange", refresh);
    bar.querySelector("[data-pause]").addEventListener("click", (event) => {
      paused = !paused;
      event.target.setAttribute("aria-pressed", String(paused));
      event.target.textContent = paused ? texts.go_on : texts.pause;
      say(paused ? texts.paused : texts.live);
      refresh();
    });
  }
})();
