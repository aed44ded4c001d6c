// Passkeys: <button data-passkey="get|create" data-options="url"> in a form with a hidden field
// `prove-passkey`, or `credential` for a new one. Asks the server for a challenge, the browser for its answer, and sends the form.
(() => {
  const made = window.PublicKeyCredential;
  if (!made?.parseRequestOptionsFromJSON) return; // the buttons stay hidden

  const show = () => {
    for (const button of document.querySelectorAll("[data-passkey][hidden]")) button.hidden = false;
  };
  show();
  document.addEventListener("htmx:after:swap", show);

  const options = async (form, url) => {
    const headers = { "X-CSRFToken": form.elements.csrf_token.value };
    const answer = await fetch(url, { method: "POST", headers });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  const ask = async (act, given) =>
    act === "create"
      ? navigator.credentials.create({ publicKey: made.parseCreationOptionsFromJSON(given) })
      : navigator.credentials.get({ publicKey: made.parseRequestOptionsFromJSON(given) });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-passkey]");
    if (!button) return;
    const form = button.form;
    const error = form.querySelector("[data-passkey-error]");
    const act = button.dataset.passkey;
    if (act === "create" && !form.reportValidity()) return;
    button.disabled = true;
    error.hidden = true;
    try {
      const credential = await ask(act, await options(form, button.dataset.options));
      const field = act === "create" ? "credential" : "prove-passkey";
      form.elements[field].value = JSON.stringify(credential);
      form.submit();
    } catch {
      error.textContent = "No passkey was used. Try again, or use another way.";
      error.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
})();
