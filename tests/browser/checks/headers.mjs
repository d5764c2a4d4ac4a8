// Response-header, compression, CSP-hash, cookie and caching checks for static pages and their assets, plus a few probes of the API path. Own code.
// node headers.mjs --base URL --paths ... [--api /api/cart] [--max-inline 20000]
import { createHash } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { args, finish } from './lib.mjs';
const a = args({ api: '', https: 'auto' }),
  fails = [],
  warns = [],
  report = {};
const get = (path, headers = {}, method = 'GET', body) =>
  new Promise((res, rej) => {
    const u = new URL(path, a.base);
    const q = (u.protocol === 'https:' ? https : http).request(
      u,
      { method, headers: { host: u.host, ...headers }, rejectUnauthorized: false },
      (r) => {
        const c = [];
        r.on('data', (d) => c.push(d));
        r.on('end', () => res({ status: r.statusCode, h: r.headers, body: Buffer.concat(c) }));
      },
    );
    q.on('error', rej);
    q.end(body);
  });
const plain = (r) => {
  const e = r.h['content-encoding'];
  return e === 'br' ? brotliDecompressSync(r.body) : e === 'gzip' ? gunzipSync(r.body) : r.body;
};
const dirs = (s) =>
  Object.fromEntries(
    (s ?? '')
      .split(';')
      .map((x) => x.trim().split(/\s+/))
      .filter((x) => x[0])
      .map(([k, ...v]) => [k.toLowerCase(), v]),
  );
const cc = (s) =>
  Object.fromEntries(
    (s ?? '')
      .split(',')
      .map((x) => x.trim().split('='))
      .map(([k, v]) => [k, v ?? true]),
  );
const assets = new Set();
for (const p of a.paths) {
  const F = (m) => fails.push(`${p} ${m}`),
    W = (m) => warns.push(`${p} ${m}`);
  const id = await get(p, { 'accept-encoding': 'identity' }),
    br = await get(p, { 'accept-encoding': 'br' }),
    gz = await get(p, { 'accept-encoding': 'gzip' });
  const html = id.body.toString();
  for (const [n, r] of [
    ['br', br],
    ['gzip', gz],
  ]) {
    if (r.h['content-encoding'] !== n) F(`no ${n}`);
    else if (!plain(r).equals(id.body)) F(`${n} body differs from identity`);
  }
  if (!/accept-encoding/i.test(id.h.vary ?? '')) F('no Vary: Accept-Encoding');
  if (/cookie|user-agent/i.test(id.h.vary ?? '')) F('Vary must not name Cookie or User-Agent');
  if (id.h['set-cookie']) F('static page sets a cookie');
  const c = cc(id.h['cache-control']);
  if (!c['s-maxage']) W('HTML without s-maxage');
  if (Number(c['max-age'] ?? 0) > 300) F('HTML browser max-age over 300 s');
  if (!c['stale-while-revalidate']) W('no stale-while-revalidate');
  if (!c['stale-if-error']) W('no stale-if-error');
  if (c['no-store']) F('no-store stops bfcache and CDN caching');
  if (!id.h.etag) F('no ETag');
  else {
    const r = await get(p, { 'if-none-match': br.h.etag, 'accept-encoding': 'br' });
    if (r.status !== 304) F(`If-None-Match gives ${r.status}`);
    if (br.h.etag === id.h.etag && !/^W\//.test(br.h.etag)) W('same strong ETag for br and identity');
  }
  if (!/^text\/html;\s*charset=utf-8$/i.test(id.h['content-type'] ?? '')) F(`content-type ${id.h['content-type']}`);
  for (const k of ['x-content-type-options', 'referrer-policy', 'permissions-policy']) if (!id.h[k]) F(`no ${k}`);
  const hsts = /max-age=(\d+)/.exec(id.h['strict-transport-security'] ?? '')?.[1];
  if (!(hsts >= 31536000)) W('HSTS below one year');
  const d = dirs(id.h['content-security-policy']);
  if (!d['default-src']) F('no CSP default-src');
  for (const k of ['base-uri', 'form-action', 'frame-ancestors', 'object-src'])
    if (!d[k] && !(k === 'object-src' && d['default-src']?.includes("'none'"))) F(`CSP lacks ${k}`);
  const src = (k) => d[k] ?? d['default-src'] ?? [];
  for (const k of ['script-src', 'style-src'])
    for (const bad of ["'unsafe-inline'", "'unsafe-eval'", '*', 'https:', 'data:'])
      if (src(k).includes(bad)) F(`CSP ${k} has ${bad}`);
  const hash = (s) => `'sha256-${createHash('sha256').update(s).digest('base64')}'`;
  for (const m of html.matchAll(/<script(?![^>]*\ssrc=)([^>]*)>([\s\S]*?)<\/script>/g)) {
    if (/type="?application\/(ld\+)?json/.test(m[1])) continue;
    if (!src('script-src').includes(hash(m[2]))) F(`inline script without CSP hash: ${m[2].slice(0, 40)}`);
  }
  for (const m of html.matchAll(/<style[^>]*>([\s\S]*?)<\/style>/g))
    if (!src('style-src').includes(hash(m[1]))) F('inline style without CSP hash');
  if (/\sstyle="/.test(html)) F('style attribute (needs unsafe-inline)');
  if (/\son[a-z]+="/.test(html.replace(/<script[\s\S]*?<\/script>/g, ''))) F('inline event handler');
  for (const m of html.matchAll(/<(script|link)[^>]*(?:src|href)="?(https?:\/\/[^"\s>]+)[^>]*>/g))
    if (
      new URL(m[2]).host !== new URL(a.base).host &&
      /<script|rel="?(stylesheet|modulepreload)/.test(m[0]) &&
      !/integrity=/.test(m[0])
    )
      F(`third-party ${m[2]} without integrity`);
  for (const m of html.matchAll(/(?:src|href)="?(\/[^"\s>]+\.(?:js|css|woff2|avif|webp|jpe?g|png|svg))/g)) assets.add(m[1]);
  for (const m of html.matchAll(/srcset="([^"]+)"/g)) for (const u of m[1].split(',')) assets.add(u.trim().split(/\s+/)[0]);
  report[p] = {
    identity: id.body.length,
    br: br.body.length,
    gzip: gz.body.length,
    cacheControl: id.h['cache-control'],
  };
  console.log(p, JSON.stringify(report[p]));
}
for (const u of assets) {
  if (!u.startsWith('/')) continue;
  const r = await get(u, { 'accept-encoding': 'br' });
  if (r.status !== 200) {
    fails.push(`${u} status ${r.status}`);
    continue;
  }
  const c = cc(r.h['cache-control']);
  if (/[.-][0-9a-f]{8,}\./.test(u)) {
    if (!c.immutable || !(Number(c['max-age']) >= 31536000)) fails.push(`${u} fingerprinted but not immutable for a year`);
  } else if (c.immutable) fails.push(`${u} immutable without a fingerprint`);
  if (r.h['set-cookie']) fails.push(`${u} sets a cookie`);
  if (!r.h['x-content-type-options']) fails.push(`${u} no nosniff`);
}
const nf = await get('/definitely-not-here-' + Date.now());
if (nf.status !== 404) fails.push(`unknown path gives ${nf.status}`);
if (a.api) {
  // same-site path-routed API: no caching, cross-site writes refused, cookie attributes
  const J = { 'content-type': 'application/json', 'idempotency-key': 'probe-' + Date.now() };
  for (const [n, h, want] of [
    ['cross-site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 403],
    ['same-site sibling', { 'sec-fetch-site': 'same-site', origin: 'https://sub.shop.example' }, 403],
    ['old browser, foreign Origin', { origin: 'https://evil.example' }, 403],
  ]) {
    const r = await get(a.api, { ...J, ...h }, 'POST', '{}');
    if (r.status !== want) fails.push(`${a.api} ${n} POST gives ${r.status}, want ${want}`);
  }
  const ok = await get(a.api, { ...J, 'sec-fetch-site': 'same-origin', origin: new URL(a.base).origin }, 'POST', '{}');
  if (ok.status === 403) fails.push(`${a.api} same-origin POST refused`);
  if (!/no-store/.test(ok.h['cache-control'] ?? '')) fails.push(`${a.api} without no-store`);
  if (ok.h['access-control-allow-origin'] === '*') fails.push(`${a.api} CORS wildcard`);
  for (const k of [].concat(ok.h['set-cookie'] ?? [])) {
    if (!/^__Host-/.test(k)) fails.push(`cookie without __Host- prefix: ${k.split('=')[0]}`);
    for (const x of ['HttpOnly', 'Secure', 'SameSite=']) if (!k.includes(x)) fails.push(`cookie without ${x}`);
  }
}
for (const w of warns) console.log('WARN', w);
console.log(`${assets.size} asset(s) checked`);
finish(a, 'headers', { report, warns }, fails);
