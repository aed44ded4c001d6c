// Loaded in the head, before the first paint: sets the theme so that nothing flashes.
// Without script the style sheet follows the system by itself.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let choice = null;
    try {
      choice = localStorage.getItem("theme");
    } catch {
      // storage refused: follow the system
    }
    if (choice !== "light" && choice !== "dark") choice = "auto";
    root.dataset.theme = choice;
    root.dataset.bsTheme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
  };
  apply();
  root.classList.add("has-script");
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("theme:chosen", apply);
})();
