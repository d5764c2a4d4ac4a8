// axe-core over a list of paths: phone and desktop width, light and dark (or only some of these `--modes`), WCAG 2.2 AA + best-practice tags; also a no-JavaScript pass and 400 % reflow (320 px) check.
import { chromium } from 'playwright-core';
import { AxeBuilder } from '@axe-core/playwright';
import { args, chromeFlags, chromePath, finish } from './lib.mjs';
const a = args({ cookie: '', modes: '', tags: 'wcag2a,wcag2aa,wcag21a,wcag21aa,wcag22aa,best-practice' }),
  fails = [],
  report = {};
const browser = await chromium.launch({ executablePath: chromePath(), args: chromeFlags.filter((f) => f !== '--headless') });
const modes = [
  ['phone-light', { viewport: { width: 390, height: 844 }, colorScheme: 'light' }],
  ['desktop-dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }],
  ['reflow-320', { viewport: { width: 320, height: 640 } }],
].filter(([name]) => !a.modes || a.modes.split(',').includes(name));
for (const p of a.paths)
  for (const [name, opt] of modes) {
    const ctx = await browser.newContext({ ...opt, bypassCSP: true }),
      page = await ctx.newPage(),
      t0 = Date.now();
    if (a.cookie) await ctx.addCookies([{ name: a.cookie.split('=')[0], value: a.cookie.split('=')[1], url: a.base }]);
    const errs = [];
    page.on('pageerror', (e) => errs.push(String(e)));
    // The page of what is not there is sent with 404, which the browser notes.
    page.on('console', (m) => m.type() === 'error' && !/status of 404/.test(m.text()) && errs.push(m.text()));
    await page.goto(a.base + p, { waitUntil: 'load' });
    // A question is answered by script, and the answer is to be judged.
    if (/[?&]q=/.test(p)) await page.locator('[data-results] li').first().waitFor();
    const r = await new AxeBuilder({ page }).withTags(a.tags.split(',')).analyze();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    report[`${p} ${name}`] = {
      ms: Date.now() - t0,
      passes: r.passes.length,
      violations: r.violations.map((v) => `${v.id} (${v.impact}) x${v.nodes.length}`),
      incomplete: r.incomplete.map((v) => v.id),
      overflow,
      errs,
    };
    for (const v of r.violations) fails.push(`${p} ${name}: ${v.id} (${v.impact}) ${v.nodes[0].target}`);
    if (overflow > 0) fails.push(`${p} ${name}: horizontal overflow ${overflow}px`);
    for (const e of errs) fails.push(`${p} ${name}: console ${e}`);
    await ctx.close();
  }
for (const p of a.paths) {
  // the page must be usable without scripts: h1, price and a submittable form or links in plain HTML
  const ctx = await browser.newContext({ javaScriptEnabled: false }),
    page = await ctx.newPage();
  await page.goto(a.base + p);
  const html = await page.content();
  if (!/<h1[\s>]/.test(html)) fails.push(`${p} no-js: no h1`);
  await ctx.close();
}
await browser.close();
for (const [k, v] of Object.entries(report))
  console.log(k, `${v.ms}ms passes=${v.passes} violations=${v.violations.length} incomplete=${v.incomplete.join('|') || '-'}`);
finish(a, 'axe', report, fails);
