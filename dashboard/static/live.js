// Live regions: one stream a page tells which topics changed; each region then asks
// for itself anew (data-live="topic ..." hx-get hx-trigger="live"). No stream: polling.
// A region with data-live-hold gets "live-held" instead while the reader is scrolled down.
(() => {
  const POLL_MS = 3000, POLL_UNWATCHED_MS = 15000, RETRY_MS = 15000, SILENT_MS = 25000;
  let source, listening = "", poll, retry, silence;
  const tags = new WeakMap();

  const regions = () => [...document.querySelectorAll("[data-live]")];
  const topicsOf = (region) => region.dataset.live.split(" ");
  const wanted = () => [...new Set(regions().flatMap(topicsOf))].sort().join(",");
  const isLive = (element) => element.matches("[hx-trigger^=live]");
  const tell = (region) => {
    const isHeld = "liveHold" in region.dataset && scrollY > 100;
    region.dispatchEvent(new Event(isHeld ? "live-held" : "live"));
  };
  const say = (word) => {
    for (const mark of document.querySelectorAll("[data-live-word]")) mark.textContent = word;
  };
  const polling = () => {
    if (poll) return;
    say("checked every few seconds");
    const once = () => {
      regions().forEach(tell);
      poll = setTimeout(once, document.hasFocus() ? POLL_MS : POLL_UNWATCHED_MS);
    };
    poll = setTimeout(once, POLL_MS);
  };
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(open, SILENT_MS);
  };
  const close = () => {
    source?.close();
    for (const timer of [poll, retry, silence]) clearTimeout(timer);
    source = poll = undefined;
    listening = "";
  };
  const open = () => {
    close();
    listening = wanted();
    if (!listening || document.hidden) return;
    source = new EventSource(`/live/stream?topics=${listening}`);
    source.onopen = () => {
      clearTimeout(poll);
      poll = undefined;
      say("live");
      alive();
      regions().forEach(tell); // what happened while nobody listened
    };
    source.onerror = () => {
      polling();
      if (source.readyState === EventSource.CLOSED)
        retry = setTimeout(open, RETRY_MS * (0.8 + 0.4 * Math.random()));
    };
    source.addEventListener("beat", alive);
    source.addEventListener("changed", (event) => {
      alive();
      for (const region of regions()) if (topicsOf(region).includes(event.data)) tell(region);
    });
  };

  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
    const tag = tags.get(ctx.sourceElement)?.[ctx.request.action];
    if (tag) ctx.request.headers["If-None-Match"] = tag;
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (isLive(ctx.sourceElement) && ctx.response.status >= 400) event.preventDefault(); // keep what is shown
    const tag = ctx.response?.headers?.get("ETag");
    if (tag && isLive(ctx.sourceElement)) tags.set(ctx.sourceElement, { [ctx.request.action]: tag });
  });
  document.addEventListener("htmx:after:swap", () => wanted() === listening || open());
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
})();
