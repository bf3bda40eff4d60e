// Keys and files for the test bench; without this every move is a button of the form.
"use strict";

const sheet = document.getElementById("sheet");
const text = document.getElementById("text");

function next(selector, by, root = document) {
  const all = [...root.querySelectorAll(selector)];
  const at = all.indexOf(document.activeElement);
  const found = all[at === -1 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
  if (found) { found.tabIndex = -1; found.focus(); }
  return found;
}

function goTo(row) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, row).join("\n").length + (row ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[row] || "").length);
}

// What stands in the message is painted on a sheet below the text, which is then clear:
// segment names, separators, escapes and nulls. Content goes in as text, never as markup.
const MOST_PAINTED = 60000;
const sheetBelow = document.getElementById("paint");

function tokens(line) {
  const header = /^(MSH|FHS|BHS)(.)(\S*?)(?=\2|$)/.exec(line);
  const found = [["segment", line.slice(0, 3)]];
  let rest = line.slice(3);
  if (header) { found.push(["separator", header[2] + header[3]]); rest = line.slice(4 + header[3].length); }
  for (const each of rest.split(/(\|""(?=\||$)|[|^~&]|\\[^\\|\s]*\\)/)) {
    if (!each) continue;
    if (each.endsWith('""') && each.length === 3) found.push(["separator", "|"], ["null", '""']);
    else found.push([each.length === 1 && "|^~&".includes(each) ? "separator" : each[0] === "\\" ? "escape" : "", each]);
  }
  return found;
}

function paint() {
  const small = text.value.length <= MOST_PAINTED;
  sheetBelow.parentElement.classList.toggle("on", small);
  sheetBelow.replaceChildren();
  if (!small) return;
  for (const line of text.value.split("\n")) {
    for (const [kind, part] of tokens(line)) {
      const span = document.createElement("span");
      if (kind) span.className = kind;
      span.textContent = part;
      sheetBelow.append(span);
    }
    sheetBelow.append("\n");
  }
  follow();
}

function follow() {
  sheetBelow.scrollTop = text.scrollTop;
  sheetBelow.scrollLeft = text.scrollLeft;
}

let problem = -1;
function nextProblem() {
  const all = [...document.querySelectorAll("#result [data-problem]")];
  if (!all.length) return;
  problem = (problem + 1) % all.length;
  all[problem].scrollIntoView({ block: "nearest" });
  if (all[problem].dataset.row) goTo(Number(all[problem].dataset.row));
}

function take(file) {
  if (!file) return;
  file.text().then((content) => {
    text.value = content.replace(/\r\n?/g, "\n").trim();
    document.getElementById("upload").value = "";
    paint();
    htmx.trigger(text, "run");
  });
}

if (sheet && text) {
  paint();
  text.addEventListener("input", paint);
  text.addEventListener("scroll", follow);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "Enter") { event.preventDefault(); htmx.trigger(text, "run"); }
    if (event.ctrlKey && event.key === "s") { event.preventDefault(); document.getElementById("test-name")?.focus(); }
    if (event.altKey && event.key === "ArrowDown") { event.preventDefault(); next(".flow > li", 1); }
    if (event.altKey && event.key === "ArrowUp") { event.preventDefault(); next(".flow > li", -1); }
    if (event.key === "F8") { event.preventDefault(); nextProblem(); }
  });
  text.addEventListener("dragover", (event) => event.preventDefault());
  text.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  document.getElementById("upload").addEventListener("change", (event) => take(event.target.files[0]));
}
