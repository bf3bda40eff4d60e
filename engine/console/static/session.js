// Two minutes before a session ends for want of use, ask whether to stay (WCAG 2.2.1).
"use strict";

(() => {
  const dialog = document.getElementById("session");
  if (!dialog) return;
  const idle = Number(dialog.dataset.idle) * 1000;
  const warn = Math.min(120_000, idle / 2);
  let timer = 0;

  function wait() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      dialog.showModal();
      timer = setTimeout(() => location.assign("/sign-in"), warn);
    }, idle - warn);
  }

  dialog.addEventListener("close", async () => {
    const token = JSON.parse(document.body.getAttribute("hx-headers") || "{}");
    const answer = await fetch("/account/extend", { method: "POST", headers: token });
    if (answer.ok) wait();
    else location.assign("/sign-in");
  });
  setTimeout(() => location.assign("/sign-in"), Number(dialog.dataset.left) * 1000);
  wait();
})();
