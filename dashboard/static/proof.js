// A proof at the identity provider comes back in a tab of its own (data-proven) and says so.
// The form that waits for it (data-proof, with the same mark) goes on; others stay as they are.
(() => {
  const proofs = new BroadcastChannel("proofs");
  const proven = document.querySelector("[data-proven]")?.dataset.proven;
  if (proven) proofs.postMessage(proven);
  proofs.addEventListener("message", ({ data }) => {
    const waiting = [...document.querySelectorAll("form[data-proof]")];
    waiting.find((form) => form.dataset.proof === data)?.requestSubmit();
  });
})();
