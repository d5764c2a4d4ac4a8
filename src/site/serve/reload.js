// Reloads the page when a build has changed it; shows what is wrong when one failed. Development only.
(async () => {
  let known = null;
  let overlay = null;
  const show = (text) => {
    overlay?.remove();
    overlay = null;
    if (!text) return;
    overlay = document.createElement('div');
    const root = overlay.attachShadow({ mode: 'open' });
    const box = document.createElement('div');
    box.setAttribute('role', 'alert');
    box.style.cssText =
      'position:fixed;inset:0;z-index:2147483647;overflow:auto;padding:4vmin;background:#14161bf2;color:#f3f4f6;' +
      'font:14px/1.5 ui-monospace,monospace';
    const title = document.createElement('h1');
    title.textContent = 'This build did not work out; the last good one is still served';
    title.style.cssText = 'font:600 1.1rem system-ui;color:#ffb4ab;margin:0 0 1em';
    const body = document.createElement('pre');
    body.textContent = text;
    body.style.cssText = 'white-space:pre-wrap;margin:0';
    const close = document.createElement('button');
    close.textContent = 'Close';
    close.style.cssText = 'position:absolute;top:2vmin;right:2vmin;font:inherit;min-height:44px;padding:0 1em;cursor:pointer';
    close.onclick = () => show(null);
    box.append(title, body, close);
    root.append(box);
    document.body.append(overlay);
  };
  for (;;) {
    try {
      const answer = await fetch(`/__vitrine/news${known === null ? '' : `?version=${known}`}`);
      const news = await answer.json();
      if (known !== null && !news.error) return location.reload();
      known = news.version;
      show(news.error);
    } catch {
      // The server is being restarted, or the page is being left.
      await new Promise((again) => setTimeout(again, 1000));
    }
  }
})();
