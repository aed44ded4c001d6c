// Everything here improves a page that already works without it.
(() => {
  const root = document.documentElement;

  // Copy buttons: <button data-copy="value">Copy</button>
  const copy = async (button) => {
    const words = button.querySelector("[data-copy-word]") ?? button;
    const before = button.dataset.copyBefore ?? words.textContent;
    button.dataset.copyBefore = before;
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      said = "Press Ctrl+C";
      select(button);
    }
    words.textContent = said;
    announce(said);
    setTimeout(() => (words.textContent = before), 2000);
  };

  // Plain http has no clipboard: show the whole value, selected, to be copied by hand.
  const select = (button) => {
    const shown = button.parentElement.querySelector("[data-copy-value]");
    if (!shown) return;
    shown.textContent = button.dataset.copy;
    getSelection().selectAllChildren(shown);
  };

  const announce = (text) => {
    const region = document.getElementById("announcer");
    if (region) region.textContent = text;
  };

  // Theme switch: three buttons <button data-theme-choice="auto|light|dark">
  const showTheme = () => {
    for (const button of document.querySelectorAll("[data-theme-choice]"))
      button.ariaPressed = String(button.dataset.themeChoice === root.dataset.theme);
  };
  const chooseTheme = (choice) => {
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // storage refused: the choice cannot be kept
    }
    dispatchEvent(new Event("theme:chosen"));
    showTheme();
  };

  // The theme of the account was saved: this browser's own choice ends.
  document.addEventListener("submit", ({ target }) => {
    if (target.matches("[data-theme-default]")) localStorage.removeItem("theme");
  });

  // Relative times: the words are those of dashboard/web/filters.py.
  const ago = (seconds) => {
    const size = Math.abs(seconds);
    if (size < 1) return "now";
    const [amount, unit] =
      size < 90 ? [size, "s"]
      : size < 5400 ? [size / 60, "min"]
      : size < (seconds > 0 ? 172800 : 259200) ? [size / 3600, "h"]
      : [size / 86400, "d"];
    const words = `${Math.floor(amount)} ${unit}`;
    return seconds >= 0 ? `${words} ago` : `in ${words}`;
  };
  const refreshTimes = () => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-ago]"))
      time.textContent = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-theme-choice]");
    if (!button) return;
    if ("copy" in button.dataset) copy(button);
    else chooseTheme(button.dataset.themeChoice);
  });
  // A box that takes several lines, but is mostly given one: Enter sends it.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    const box = event.target.closest("[data-enter-submits]");
    if (!box) return;
    event.preventDefault();
    box.form.requestSubmit();
  });
  document.addEventListener("visibilitychange", refreshTimes);
  setInterval(refreshTimes, 10000);
  showTheme();
})();
