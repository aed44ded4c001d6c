// The set-up on a zoom app's page leads on: when a step is done, the details of the next thing
// open. What is open stays open: its instructions may not be read to the end.
(() => {
  const next = () => document.getElementById("zoom-app-progress")?.dataset.next;
  let shown = next();

  document.addEventListener("htmx:after:swap", () => {
    const now = next();
    if (now === undefined || now === shown) return;
    for (const details of document.querySelectorAll(`[data-of="${now}"]`)) details.open = true;
    shown = now;
  });
})();
