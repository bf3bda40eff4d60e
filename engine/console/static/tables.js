// Keys for the grid of a code table; every one has a link or a button beside it.
"use strict";

const grid = document.getElementById("grid");

function cells() {
  return [...document.querySelectorAll("#grid tbody a")];
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.ctrlKey || event.altKey || event.metaKey || typing) return;
  const all = cells();
  const at = all.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (grid && step && at !== -1) {
    event.preventDefault();
    all[Math.min(Math.max(at + step, 0), all.length - 1)].focus();
  }
  if (event.key === "F2" && at !== -1) { event.preventDefault(); all[at].click(); }
  if (event.key === "n") {
    const next = document.querySelector("section.panel input[name=to]");
    if (next) { event.preventDefault(); next.focus(); }
    else document.querySelector('nav.tabs a[href$="tab=unmapped"]')?.click();
  }
});

document.addEventListener("paste", (event) => {
  const typing = event.target.closest("input, textarea");
  const paste = document.getElementById("paste");
  if (typing || !paste) return;
  event.preventDefault();
  paste.value = event.clipboardData.getData("text");
  paste.focus();
});
