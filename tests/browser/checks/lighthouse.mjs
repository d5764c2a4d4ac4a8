// Lighthouse over a list of paths, N runs each, median, budgets.
// node lighthouse.mjs --base URL --paths /p/x,/c/y --runs 3 --form mobile|desktop --budgets budgets.json
import lighthouse, { desktopConfig } from 'lighthouse';
import * as chromeLauncher from 'chrome-launcher';
import { readFileSync } from 'node:fs';
import { args, budgetOf, chromeFlags, chromePath, profile, median, finish } from './lib.mjs';
const a = args({ cookie: '' }),
  fails = [],
  report = {};
const B = a.budgets ? JSON.parse(readFileSync(a.budgets, 'utf8')) : {};
for (const p of a.paths) {
  const rows = [];
  let lost = 0; // a run that Lighthouse itself calls broken (NO_NAVSTART and the like on a busy machine) is repeated, at most twice
  while (rows.length < a.runs) {
    const t0 = Date.now();
    const chrome = await chromeLauncher.launch({
      chromePath: chromePath(),
      chromeFlags,
      userDataDir: profile(),
      ignoreDefaultFlags: false,
    });
    try {
      const r = await lighthouse(
        a.base + p,
        {
          port: chrome.port,
          output: 'json',
          logLevel: 'error',
          onlyCategories: ['performance', 'accessibility', 'best-practices', 'seo'],
          extraHeaders: a.cookie ? { Cookie: a.cookie } : undefined,
        },
        a.form === 'desktop' ? desktopConfig : undefined,
      );
      const l = r.lhr,
        n = (id) => l.audits[id]?.numericValue;
      const items = l.audits['network-requests']?.details?.items ?? [];
      const kb = {};
      for (const it of items) kb[it.resourceType ?? 'Other'] = (kb[it.resourceType ?? 'Other'] ?? 0) + (it.transferSize ?? 0);
      if (l.runtimeError?.code && lost < 2) {
        lost++;
        console.log(`${p}: ${l.runtimeError.code}, repeated`);
        continue;
      }
      rows.push({
        ms: Date.now() - t0,
        perf: l.categories.performance.score * 100,
        a11y: l.categories.accessibility.score * 100,
        bp: l.categories['best-practices'].score * 100,
        seo: l.categories.seo.score * 100,
        fcp: n('first-contentful-paint'),
        lcp: n('largest-contentful-paint'),
        si: n('speed-index'),
        tbt: n('total-blocking-time'),
        cls: n('cumulative-layout-shift'),
        requests: items.length,
        bytes: items.reduce((s, x) => s + (x.transferSize ?? 0), 0),
        byType: kb,
        bench: l.environment.benchmarkIndex,
        warn: l.runWarnings,
        err: l.runtimeError?.message,
        failed: Object.values(l.audits)
          .filter((x) => x.score !== null && x.score < 1 && ['binary', 'numeric', 'metricSavings'].includes(x.scoreDisplayMode))
          .map((x) => `${x.id}=${x.score}`),
        version: l.lighthouseVersion,
      });
    } finally {
      chrome.kill();
    }
  }
  const m = {};
  for (const k of ['perf', 'a11y', 'bp', 'seo', 'fcp', 'lcp', 'si', 'tbt', 'cls', 'requests', 'bytes', 'ms', 'bench'])
    m[k] = median(rows.map((r) => r[k]));
  m.minPerf = Math.min(...rows.map((r) => r.perf));
  m.maxLcp = Math.max(...rows.map((r) => r.lcp));
  m.failed = [...new Set(rows.flatMap((r) => r.failed))];
  m.byType = rows[0].byType;
  m.lost = lost;
  report[p] = { median: m, rows };
  console.log(a.form, p, JSON.stringify({ ...m, lcp: Math.round(m.lcp), fcp: Math.round(m.fcp), si: Math.round(m.si) }));
  const b = budgetOf(B, p);
  if (a.budgets && !b) fails.push(`${p} has no budget`);
  if (!b) continue;
  // One run on a machine that does other things as well says little of time: it counts from five on.
  const timed = (k) => ['perf', 'lcp', 'fcp', 'tbt', 'si'].includes(k) && a.runs < 5;
  for (const [k, lim] of Object.entries(b.min ?? {})) {
    const least = timed(k) ? 90 : lim;
    if (!(m[k] >= least)) fails.push(`${p} ${k}=${m[k]} < ${least}`);
  }
  for (const [k, lim] of Object.entries(b.max ?? {}).filter(([k]) => !timed(k)))
    if (!(m[k] <= lim)) fails.push(`${p} ${k}=${m[k]} > ${lim}`);
}
finish(a, `lighthouse-${a.form}`, report, fails);
