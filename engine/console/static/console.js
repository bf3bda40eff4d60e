// Keys for those who prefer them; every one has a link or a button beside it.
"use strict";

const PLACES = {
  o: "/", c: "/channels", m: "/messages", w: "/work", i: "/work/mismatch",
  p: "/patients", t: "/bench", a: "/alerts", k: "/tables",
};
let going = false;

function isTyping(event) {
  return event.target.closest("input, textarea, select, [contenteditable]") !== null;
}

function rows() {
  return [...document.querySelectorAll("main tbody tr")].filter((row) => row.querySelector("a"));
}

function step(by) {
  const all = rows();
  const at = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  if (!next) return;
  all.forEach((row) => row.removeAttribute("aria-selected"));
  next.setAttribute("aria-selected", "true");
  next.querySelector("a").focus();
}

// What has a key: in the row one stands on, else beside the tables; never in another row.
function keyed(key) {
  const name = `[data-key="${CSS.escape(key)}"]`;
  return document.querySelector(`tr[aria-selected="true"] ${name}`)
    ?? [...document.querySelectorAll(name)].find((each) => !each.closest("tbody tr"));
}

// The stops of a drawn flow, in the order of the way.
function walk(by) {
  const all = [...document.querySelectorAll("svg.drawn a")];
  const at = all.indexOf(document.activeElement);
  all[Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
}

const WALK = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

function tab(by) {
  const all = [...document.querySelectorAll("nav.tabs a")];
  const at = all.findIndex((each) => each.hasAttribute("aria-current"));
  all[at + by]?.click();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event)) return;
  if (going) {
    going = false;
    const link = document.querySelector(`nav.side a[href="${PLACES[event.key]}"]`);
    if (link) { event.preventDefault(); link.click(); }
    return;
  }
  if (WALK[event.key] && event.target.closest("svg.drawn")) {
    event.preventDefault();
    walk(WALK[event.key]);
    return;
  }
  const does = {
    "/": () => document.getElementById("find").focus(),
    "?": () => document.getElementById("keys")?.showModal(),
    g: () => { going = true; },
    j: () => step(1),
    k: () => step(-1),
    "[": () => tab(-1),
    "]": () => tab(1),
  }[event.key];
  if (does) { event.preventDefault(); does(); return; }
  const marked = keyed(event.key);
  if (!marked) return;
  event.preventDefault();
  if (marked.hasAttribute("data-careful")) marked.focus(); else marked.click();
});

// The two sides of a message: what is under the pointer or has the focus marks its kin.
function mark(event) {
  const row = event.target.closest("#linked tr[data-link], #linked tr[data-links]");
  if (!row) return;
  const keys = (row.dataset.link ?? row.dataset.links).split(" ").filter(Boolean);
  for (const other of document.querySelectorAll("#linked tbody tr")) {
    const theirs = (other.dataset.link ?? other.dataset.links).split(" ");
    const otherSide = (other.dataset.link === undefined) !== (row.dataset.link === undefined);
    const kin = otherSide && keys.some((key) => theirs.includes(key));
    other.classList.toggle("marked", kin || other === row);
  }
}
document.addEventListener("focusin", mark);
document.addEventListener("mouseover", mark);
