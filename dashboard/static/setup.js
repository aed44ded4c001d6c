// The set-up on a zoom app's page leads on: when a step is done, the details of what is done
// close and those of the next thing open. What the reader opened or closed stays so.
(() => {
  const next = () => document.getElementById("zoom-app-progress")?.dataset.next;
  let shown = next();

  const show = (key, isOpen) => {
    for (const details of document.querySelectorAll(`[data-of="${key}"]`)) details.open = isOpen;
  };

  document.addEventListener("htmx:after:swap", () => {
    const now = next();
    if (now === undefined || now === shown) return;
    show(shown, false);
    show(now, true);
    shown = now;
  });
})();
