// A count that is not sent yet is in its page alone, and would go with the login. Until
// it is sent it is kept here as well: in this tab, for a day, for whoever counts.
(() => {
  "use strict";
  const DAY = 24 * 60 * 60 * 1000;
  const KEPT = "count at ";
  const main = document.getElementById("main");
  if (!main) return;

  const all = () => Object.keys(sessionStorage).filter((key) => key.startsWith(KEPT));
  const read = (key) => JSON.parse(sessionStorage.getItem(key));
  const forget = (key) => sessionStorage.removeItem(key);

  for (const key of all()) {
    const { who, at } = read(key);
    if (who !== main.dataset.who || Date.now() - at > DAY) forget(key);
  }
  document.querySelector("form.who").addEventListener("submit", () => all().forEach(forget));

  // -- which location is counted ------------------------------------------------

  for (const place of document.querySelectorAll("[data-places] option")) {
    if (all().includes(KEPT + place.value)) place.selected = true;
  }

  // -- counting it ----------------------------------------------------------------

  const page = document.querySelector("[data-count]");
  if (!page) return;
  const key = KEPT + page.dataset.count;
  const send = page.querySelector("[data-send]");
  const offer = page.querySelector("[data-offer]");

  function keep(form) {
    const told = [...new FormData(form)].filter(([name]) => name !== "csrf_token");
    const draft = { who: main.dataset.who, at: Date.now(), told };
    sessionStorage.setItem(key, JSON.stringify(draft));
  }

  function showOffer({ told }) {
    for (const [name, value] of told) {
      const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
      offer.append(field);
    }
    offer.hidden = false;
    offer.querySelector("[data-forget]").addEventListener("click", () => {
      forget(key);
      offer.hidden = true;
    });
  }

  const isOfBefore = performance.getEntriesByType("navigation")[0].type === "back_forward";
  if (offer) {
    const draft = read(key);
    const sent = draft && draft.told.find(([name]) => name === "once");
    if (sent && sent[1] === page.dataset.sent) forget(key);
    else if (draft) showOffer(draft);
  } else if (!isOfBefore) {
    if (send) keep(send);
    else forget(key);
  }
  page.addEventListener("submit", (event) => {
    if (event.target !== offer) keep(event.target);
  });
})();
