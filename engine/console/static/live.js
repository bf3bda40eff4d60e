// Values change in place; rows never move: new ones are announced.
// One stream while the tab is seen, questions every ten seconds where it drops.
"use strict";

(() => {
  const address = document.body.dataset.live;
  const note = document.getElementById("live-note");
  const news = document.getElementById("live-news");
  const button = document.getElementById("live-pause");
  const [path, query] = address.split("?");
  const POLL = 10000;
  const SILENT = 15000;
  const NEWS = 5000;
  let source = null;
  let asked = 0;
  let heard = Date.now();
  let told = 0;
  let pending = 0;
  let paused = sessionStorage.getItem("paused") === "yes";

  function change(cells) {
    heard = Date.now();
    document.body.classList.remove("stale");
    for (const [id, html] of Object.entries(cells)) {
      const cell = document.getElementById(id);
      if (cell) cell.innerHTML = html;  // escaped by the server
    }
  }

  function announce(count) {
    pending = count;
    if (!count || Date.now() - told < NEWS) return;
    told = Date.now();
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = `${count} new. Show ${count === 1 ? "it" : "them"}`;
    news.replaceChildren(link);
    news.hidden = false;
    pending = 0;
  }

  function open() {
    close();
    source = new EventSource(address);
    source.addEventListener("cells", (event) => change(JSON.parse(event.data)));
    source.addEventListener("news", (event) => announce(JSON.parse(event.data)));
    source.addEventListener("failed", () => document.body.classList.add("stale"));
  }

  function close() {
    source?.close();
    source = null;
  }

  async function ask() {
    asked = Date.now();
    try {
      const answer = await fetch(`${path}.json${query ? `?${query}` : ""}`);
      if (answer.status === 401) return leave();
      if (!answer.ok) return;
      const found = await answer.json();
      change(found.cells);
      announce(found.news);
    } catch { /* the note says how old the page is */ }
  }

  function leave() {
    close();
    clearInterval(timer);
    note.textContent = "Signed out: load the page again";
  }

  function look() {
    if (paused || document.hidden) return;
    const now = Date.now();
    const streaming = source?.readyState === EventSource.OPEN && now - heard < SILENT;
    note.textContent = streaming ? "Live" : `Last update ${Math.round((now - heard) / 1000)} s ago`;
    if (pending) announce(pending);
    if (streaming || now - asked < POLL) return;
    if (now - heard > SILENT || source?.readyState === EventSource.CLOSED) open();
    ask();
  }

  function follow() {
    button.setAttribute("aria-pressed", String(paused));
    if (paused) note.textContent = "Updates are paused";
    if (paused || document.hidden) return close();
    asked = Date.now();
    open();
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    if (paused) sessionStorage.setItem("paused", "yes");
    else sessionStorage.removeItem("paused");
    follow();
  });
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
  const timer = setInterval(look, 1000);
  follow();
})();
