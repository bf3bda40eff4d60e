// Passkeys: asks the server for a challenge, the browser for an answer.
"use strict";

(() => {
  const can = window.PublicKeyCredential?.parseRequestOptionsFromJSON;
  const isName = !/^[\d.]+$|^\[/.test(location.hostname);
  const told = document.getElementById("passkey-told");

  async function post(path, body, more = {}) {
    const token = JSON.parse(document.body.getAttribute("hx-headers") || "{}");
    const headers = { ...token, ...more, "Content-Type": "application/json" };
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const isOurs = (answer.headers.get("Content-Type") || "").includes("json");
    if (!isOurs) { location.assign(answer.url); throw new Error("one more step is asked"); }
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.detail || found.title);
    return found;
  }

  const does = {
    async make() {
      const options = await post("/account/passkeys/ask", {});
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
      const made = await navigator.credentials.create({ publicKey });
      const label = document.getElementById("passkey-label").value;
      return post("/account/passkeys", made.toJSON(), { "X-Label": encodeURIComponent(label) });
    },
    async use() {
      const options = await post("/sign-in/passkey/ask", {});
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      const answer = await navigator.credentials.get({ publicKey });
      return post("/sign-in/passkey", answer.toJSON());
    },
  };

  for (const button of document.querySelectorAll("button[data-passkey]")) {
    if (!can || !isName) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      told.textContent = "";
      try {
        location.assign((await does[button.dataset.passkey]()).go);
      } catch (error) {
        told.textContent = error.name === "NotAllowedError" ? "No passkey was used." : error.message;
      }
    });
  }
})();
