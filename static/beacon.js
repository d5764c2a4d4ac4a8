// Tells the shop how fast this page was, once, when it is left: numbers and words of closed sets. No cookie, no storage, nothing that
// names anybody. Whoever asks not to be tracked is not measured.
const { beacon, market } = document.querySelector("[data-beacon]")?.dataset ?? {};
if (beacon && !navigator.globalPrivacyControl && navigator.doNotTrack != 1) {
  const page = /^(home|category|product|search|cart|checkout|placed)$/.exec(document.body.className)?.[0] ?? "other";
  const device = !matchMedia("(pointer:coarse)").matches ? 2 : Math.min(screen.width, screen.height) < 600 ? 0 : 1;
  const connection = ["2g", "3g", "4g"].indexOf(navigator.connection?.effectiveType?.slice(-2)) + 1;
  const [navigation] = performance.getEntriesByType("navigation");
  // What took over two minutes says nothing of a page, and is not listened to.
  const ms = (time) => (time <= 12e4 ? Math.max(0, Math.round(time)) : undefined);
  // A page that was made before it was asked for counts from when it was.
  const after = (time) => ms(time - (navigation?.activationStart ?? 0));
  const isSent = Math.random() * 100 < beacon;
  // Nobody waited for what a page shows that was opened behind another one, or that comes back.
  let isLate = document.hidden && !document.prerendering, isOver = isLate;
  let lcp, first, cls, run, slow, counted, isTold, restored = 0;

  // A page that comes back from the browser's memory is another view.
  const begin = () => {
    run = { value: 0 };
    slow = {};
    counted = performance.interactionCount;
    isTold = 0;
    lcp = first = undefined;
    // Where no shift is ever told of, none is no news.
    cls = PerformanceObserver.supportedEntryTypes.includes("layout-shift") ? 0 : undefined;
  };
  begin();

  const readers = [];
  const watch = (type, each, durationThreshold) => {
    const all = (entries) => entries.forEach(each), observer = new PerformanceObserver((list) => all(list.getEntries()));
    observer.observe({ type, buffered: true, durationThreshold });
    readers.push(() => all(observer.takeRecords()));
  };
  const read = () => readers.forEach((one) => one());
  watch("largest-contentful-paint", ({ startTime }) => {
    if (!isOver) lcp = after(startTime);
  });
  watch("element", ({ identifier, startTime }) => {
    if (identifier == "first-product" && !isLate) first = after(startTime);
  });
  // Shifts of one run: less than a second from one to the next, five seconds in all.
  watch("layout-shift", ({ value, startTime, hadRecentInput }) => {
    if (hadRecentInput || startTime < restored) return;
    const goesOn = run.value && startTime - run.to < 1e3 && startTime - run.from < 5e3;
    run = { value: goesOn ? run.value + value : value, from: goesOn ? run.from : startTime, to: startTime };
    cls = Math.max(cls, run.value);
  });
  const interaction = ({ interactionId, duration, startTime }) => {
    if (interactionId && startTime >= restored) slow[interactionId] = Math.max(duration, slow[interactionId] ?? 0);
  };
  watch("event", interaction, 40);
  watch("first-input", interaction);
  // Whoever acts has seen enough: nothing larger is waited for.
  for (const sign of ["keydown", "click"]) {
    addEventListener(sign, ({ isTrusted }) => {
      if (!isTrusted || isOver) return;
      read();
      isOver = 1;
    }, true);
  }

  addEventListener("visibilitychange", () => {
    if (!document.hidden || isTold) return;
    read();
    isTold = isOver = 1;
    if (!isSent) return;
    const slowest = Object.values(slow).sort((one, other) => other - one);
    // One of fifty interactions may be slower.
    const place = Math.min(slowest.length - 1, Math.floor((performance.interactionCount - counted) / 50) || 0);
    // Where the browser does not say when a picture was seen, it was once it was here.
    const picture = document.querySelector("[elementtiming=first-product]")?.currentSrc;
    const loaded = picture && !isLate && performance.getEntriesByName(picture)[0]?.responseEnd;
    const to = "/api/v1/beacon", body = JSON.stringify({
      page, market, lcp, cls: cls && Math.round(cls * 1e3),
      device: ["phone", "tablet", "desktop"][device],
      connection: ["unknown", "slow", "medium", "fast"][connection],
      inp: ms(slowest[place]),
      ttfb: restored || !navigation ? undefined : after(navigation.responseStart),
      first_product: first ?? (loaded ? after(loaded) : undefined),
    });
    // Nobody is left who could be told that it did not arrive.
    if (!navigator.sendBeacon?.(to, body)) fetch(to, { method: "POST", body, keepalive: true }).catch(() => {});
  });
  addEventListener("pageshow", ({ persisted, timeStamp }) => {
    if (!persisted) return;
    restored = timeStamp;
    begin();
    isOver = isLate = 1;
    requestAnimationFrame(() => requestAnimationFrame(() => (lcp = ms(performance.now() - timeStamp))));
  });

  // The first change of a cart takes along how the page was, as one of 240 numbers.
  addEventListener("submit", ({ target }) => {
    if (target.getAttribute("action") != "/cart/lines") return;
    read();
    const band = lcp == null ? 0 : 1 + (lcp >= 1e3) + (lcp >= 2e3) + (lcp >= 4e3);
    const origin = ["product", "category", "home", page].indexOf(page);
    const field = target.elements.vitals ?? target.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: "vitals" }));
    field.value = 1 + ((band * 3 + device) * 4 + connection) * 4 + origin;
  }, true);
}
