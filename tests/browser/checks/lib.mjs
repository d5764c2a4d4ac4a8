// Shared helpers: argument parsing, browser flags, output. Own code.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
export function args(extra = {}) {
  const a = { base: 'http://127.0.0.1:8090', paths: ['/'], out: 'out', runs: 3, form: 'mobile', budgets: '', ...extra };
  const v = process.argv.slice(2);
  for (let i = 0; i < v.length; i++) {
    const m = /^--([a-z-]+)(?:=(.*))?$/.exec(v[i]);
    if (!m) throw new Error(`unknown argument ${v[i]}`);
    const key = m[1].replace(/-(.)/g, (_, c) => c.toUpperCase());
    const val = m[2] ?? (v[i + 1] && !v[i + 1].startsWith('--') ? v[++i] : 'true');
    if (key === 'paths')
      a.paths = existsSync(val)
        ? readFileSync(val, 'utf8')
            .split('\n')
            .map((s) => s.trim())
            .filter((s) => s && !s.startsWith('#'))
        : val.split(',');
    else a[key] = typeof a[key] === 'number' ? Number(val) : val;
  }
  a.base = a.base.replace(/\/$/, '');
  mkdirSync(a.out, { recursive: true });
  return a;
}
export const chromePath = () =>
  process.env.CHROME_PATH ?? ['/usr/bin/chromium', '/usr/bin/google-chrome', '/usr/bin/chromium-browser'].find(existsSync);
export const chromeFlags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];
// The budget of a path: that whose name it begins with, the longest of several; the home page's is for itself alone.
export const budgetOf = (budgets, path) => {
  const names = Object.keys(budgets).filter((name) => (name === '/' ? path === name : path.startsWith(name)));
  return budgets[names.sort((x, y) => y.length - x.length)[0]];
};
export const profile = () => mkdtempSync(join(tmpdir(), 'webcheck-'));
export const median = (x) => {
  const s = [...x].sort((p, q) => p - q),
    n = s.length;
  return n ? (n % 2 ? s[(n - 1) / 2] : (s[n / 2 - 1] + s[n / 2]) / 2) : NaN;
};
export function finish(a, name, report, failures) {
  const f = join(a.out, `${name}.json`);
  writeFileSync(f, JSON.stringify({ name, base: a.base, at: new Date().toISOString(), failures, report }, null, 1));
  for (const x of failures) console.log(`FAIL ${x}`);
  console.log(`${name}: ${failures.length ? `${failures.length} failure(s)` : 'ok'} -> ${f}`);
  process.exitCode = failures.length ? 1 : 0;
}
