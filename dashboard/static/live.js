// Live regions (data-live="topic ..." hx-get hx-trigger="live"). One stream a page brings
// what changed: "drawn" holds the HTML of an address, "changed" has the region ask for its
// own. Without a stream the page says so, and asks every 15 seconds.
// A region with data-live-hold gets "live-held" instead while the reader is scrolled down.
(() => {
  const POLL_MS = 15000, RETRY_MS = 15000, SILENT_MS = 25000, LOST_MS = 4000;
  const LOST = "Reconnecting…", FULL = `Live updates unavailable; refreshing every ${POLL_MS / 1000} s.`;
  const SIGNED_OUT = "You are signed out. Reload the page to sign in again.";
  const DEACTIVATED = "Your account is deactivated, so this page no longer updates. Ask an admin.";
  let isOver = false, source, listening = "", why = "", shown = new Date(), poll, retry, silence, lost;
  const tags = new WeakMap();

  const regions = () => [...document.querySelectorAll("[data-live]")];
  const topicsOf = (region) => region.dataset.live.split(" ");
  const wanted = () => [...new Set(regions().flatMap(topicsOf))].sort().join(",");
  const isLive = (element) => element.matches("[hx-trigger^=live]");
  const about = (ms) => ms * (0.8 + 0.4 * Math.random()); // pages must not ask all at once
  const tell = (region) => {
    const isHeld = "liveHold" in region.dataset && scrollY > 100;
    region.dispatchEvent(new Event(isHeld ? "live-held" : "live"));
  };

  const say = () => {
    const timeZone = document.documentElement.dataset.zone ?? "UTC";
    const at = shown.toLocaleTimeString("en-GB", { timeZone });
    const word = why ? `${why} Last updated ${at}` : "Live";
    for (const mark of document.querySelectorAll("[data-live-word]")) {
      mark.textContent = word;
      mark.classList.toggle("is-live", !why);
      mark.classList.toggle("is-polling", Boolean(why));
    }
  };
  const polling = (reason) => {
    why = reason;
    say();
    const next = () => {
      poll = setTimeout(() => {
        regions().forEach(tell);
        next();
      }, about(POLL_MS));
    };
    if (!poll) next();
  };
  const current = () => {
    shown = new Date();
    say();
  };
  const alive = () => {
    for (const timer of [poll, lost, silence]) clearTimeout(timer);
    poll = lost = undefined;
    why = "";
    silence = setTimeout(() => open(LOST), SILENT_MS);
    current();
  };

  // What is typed stays; nothing is asked for until the person has signed in again.
  const signedOut = (reason = SIGNED_OUT) => {
    if (isOver) return;
    close();
    why = reason;
    isOver = true;
    say();
  };

  const hangUp = () => {
    source?.close();
    for (const timer of [retry, silence, lost]) clearTimeout(timer);
    source = lost = undefined;
  };
  const close = () => {
    hangUp();
    clearTimeout(poll);
    poll = undefined;
    listening = "";
  };
  const open = (reason = "") => {
    hangUp();
    listening = wanted();
    if (!listening || document.hidden || isOver) return close();
    if (reason) polling(reason); // until something comes
    const mine = (source = new EventSource(`/live/stream?topics=${listening}`));
    silence = setTimeout(() => open(LOST), SILENT_MS);
    mine.onerror = () => {
      if (mine.readyState === EventSource.CLOSED) refused(mine);
      // Else the browser reconnects, usually before the page has to say so.
      else lost ??= setTimeout(() => polling(LOST), LOST_MS);
    };
    mine.addEventListener("beat", alive);
    mine.addEventListener("signed-out", () => signedOut());
    mine.addEventListener("deactivated", () => signedOut(DEACTIVATED));
    mine.addEventListener("changed", ({ data }) => {
      alive();
      for (const region of regions()) if (topicsOf(region).includes(data)) tell(region);
    });
    mine.addEventListener("drawn", ({ data }) => {
      alive();
      const end = data.indexOf("\n");
      const [topic, address, tag] = data.slice(0, end).split(" ");
      for (const region of regions().filter((each) => topicsOf(each).includes(topic)))
        if (region.getAttribute("hx-get") === address) show(region, address, tag, data.slice(end + 1));
        else tell(region);
    });
  };
  // An EventSource does not say why it was refused, and does not reconnect then.
  const refused = async (mine) => {
    for (const timer of [silence, lost]) clearTimeout(timer);
    polling(why || LOST);
    retry = setTimeout(() => open(why), about(RETRY_MS));
    const answer = await fetch(mine.url, { method: "HEAD", headers: { Live: "1" } }).catch(() => undefined);
    if (mine === source && answer?.status === 401) return signedOut();
    if (mine === source && answer?.headers.get("Live-Places") === "0") polling(FULL);
  };

  const show = (region, address, tag, text) => {
    region.dispatchEvent(new Event("htmx:abort")); // an older answer must not come after this
    const swap = region.getAttribute("hx-swap");
    htmx.swap({ sourceElement: region, target: region, swap, text, tag: `W/"${tag}"`, request: { action: address } });
  };
  const formToken = () => JSON.parse(document.body.getAttribute("hx-headers:inherited"))["X-CSRFToken"];

  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    if (isLive(ctx.sourceElement)) ctx.request.headers["Live"] = "1"; // keeps no session alive
    const tag = tags.get(ctx.sourceElement)?.[ctx.request.action];
    if (tag) ctx.request.headers["If-None-Match"] = tag;
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (!isLive(ctx.sourceElement)) return;
    if (ctx.response.status === 401) signedOut();
    if (ctx.response.status >= 400) event.preventDefault(); // keep what is shown
    else current();
    ctx.tag = ctx.response.headers.get("ETag");
  });
  // What has the focus may be replaced: the same thing in what comes gets it back.
  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";
  const nameOf = (element) =>
    [element.tagName, element.getAttribute("href"), element.name, element.ariaLabel ?? element.textContent.trim()].join("\n");
  let focused;
  const noteFocus = () => {
    const element = document.activeElement;
    const place = element?.parentElement?.closest("[id]")?.id;
    focused = place && { element, place, id: element.id, name: nameOf(element) };
  };
  const giveFocusBack = () => {
    if (!focused || focused.element.isConnected) return;
    const inPlace = document.getElementById(focused.place)?.querySelectorAll(FOCUSABLE) ?? [];
    const same = document.getElementById(focused.id) ?? [...inPlace].find((each) => nameOf(each) === focused.name);
    same?.focus({ preventScroll: true });
    focused = undefined;
  };

  document.addEventListener("htmx:before:swap", ({ detail: { tasks } }) => {
    noteFocus();
    // What was drawn for everybody has this page's own token in its forms.
    for (const { fragment } of tasks)
      for (const field of fragment.querySelectorAll("input[name=csrf_token][value='']"))
        field.setAttribute("value", formToken());
  });
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    giveFocusBack();
    if (ctx.tag) tags.set(ctx.sourceElement, { [ctx.request.action]: ctx.tag });
    if (wanted() !== listening) open();
    else say(); // a mark that has just come
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", () => open());
})();
