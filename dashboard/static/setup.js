// The set-up on a zoom app's page leads on: when a step is done, the details of what comes
// next open. What is open stays open, also over a reload of the page: its instructions may
// not be read to the end. Only the reader closes it; a set-up that is done forgets it.
(() => {
  const current = () => document.getElementById("zoom-app-progress")?.dataset.current;
  const all = () => document.querySelectorAll("details[data-of]");
  const key = `setup:${location.pathname}`;
  const open = new Set((sessionStorage.getItem(key) ?? "").split(" "));
  let shown = current();
  if (shown === "") sessionStorage.removeItem(key);

  for (const details of all()) {
    if (shown && open.has(details.dataset.of)) details.open = true;
    details.addEventListener("toggle", () => {
      const kept = [...all()].filter((one) => one.open).map((one) => one.dataset.of);
      sessionStorage.setItem(key, kept.join(" "));
    });
  }

  document.addEventListener("htmx:after:swap", () => {
    const now = current();
    if (now === undefined || now === shown) return;
    for (const step of now.split(" ")) {
      for (const details of document.querySelectorAll(`[data-of="${step}"]`)) details.open = true;
    }
    shown = now;
  });
})();
