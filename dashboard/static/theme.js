// Loaded in the head, before the first paint: sets the theme so that nothing flashes.
// Without script it is the account's (data-own-theme), or the style sheet follows the system.
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
    if (choice !== "light" && choice !== "dark" && choice !== "auto") choice = root.dataset.ownTheme ?? "auto";
    root.dataset.theme = choice;
    root.dataset.bsTheme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
  };
  apply();
  root.classList.add("has-script");
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("theme:chosen", apply);
})();
