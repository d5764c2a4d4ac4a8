// robots.txt -> sitemap index -> sitemaps: protocol limits, URL form, lastmod, duplicates; then samples pages and compares canonical, noindex, hreflang reciprocity. Own code.
// node sitemap.mjs --base URL [--origin https://shop.example] [--sample 50]   (--origin: what the URLs in the sitemap start with)
import { gunzipSync } from 'node:zlib';
import { args, finish } from './lib.mjs';
const a = args({ origin: '', sample: 50 }),
  fails = [],
  origin = (a.origin || a.base).replace(/\/$/, '');
const local = (u) => u.replace(origin, a.base);
const load = async (u) => {
  const r = await fetch(local(u));
  if (!r.ok) {
    fails.push(`${u} status ${r.status}`);
    return '';
  }
  const b = Buffer.from(await r.arrayBuffer());
  const x = u.endsWith('.gz') && b[0] === 0x1f ? gunzipSync(b) : b;
  if (x.length > 50 * 1024 * 1024) fails.push(`${u} is ${x.length} bytes (limit 50 MiB uncompressed)`);
  return x.toString('utf8');
};
const un = (s) =>
  s
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, '&');
const tag = (x, t) => [...x.matchAll(new RegExp(`<${t}>\\s*([^<]+?)\\s*</${t}>`, 'g'))].map((m) => un(m[1]));
const W3C = /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?$/;
const robots = await load(`${origin}/robots.txt`);
if (Buffer.byteLength(robots) > 512000) fails.push('robots.txt over 500 KiB');
const roots = [...robots.matchAll(/^\s*sitemap:\s*(\S+)/gim)].map((m) => m[1]);
if (!roots.length) fails.push('robots.txt names no sitemap');
const dis = [...robots.matchAll(/^\s*disallow:\s*(\S+)/gim)].map((m) => m[1]);
const urls = new Map();
let files = 0,
  images = 0;
const t0 = Date.now();
const visit = async (u, depth) => {
  files++;
  const x = await load(u);
  if (/<sitemapindex/.test(x)) {
    if (depth) fails.push(`${u} index inside an index`);
    const l = tag(x, 'loc');
    if (l.length > 50000) fails.push(`${u} has ${l.length} sitemaps`);
    for (const s of l) await visit(s, depth + 1);
    return;
  }
  const entries = x.split('<url>').slice(1);
  if (entries.length > 50000) fails.push(`${u} has ${entries.length} URLs (limit 50,000)`);
  for (const e of entries) {
    const loc = tag(e, 'loc')[0],
      lm = tag(e, 'lastmod')[0];
    if (!loc?.startsWith(origin + '/')) fails.push(`${loc} not under ${origin}`);
    if (loc?.length > 2048) fails.push(`${loc.slice(0, 60)} longer than 2,048`);
    if (/\s|[^\x21-\x7e]/.test(loc ?? '')) fails.push(`${loc} not percent-encoded`);
    if (lm && (!W3C.test(lm) || Date.parse(lm) > Date.now() + 864e5)) fails.push(`${loc} lastmod ${lm}`);
    if (urls.has(loc)) fails.push(`${loc} twice`);
    if (dis.some((d) => d !== '/' && loc.slice(origin.length).startsWith(d))) fails.push(`${loc} is disallowed by robots.txt`);
    const im = tag(e, 'image:loc');
    images += im.length;
    if (im.length > 1000) fails.push(`${loc} over 1,000 images`);
    urls.set(loc, e);
  }
};
for (const r of roots) await visit(r, 0);
const all = [...urls.keys()],
  step = Math.max(1, Math.floor(all.length / a.sample));
let checked = 0;
for (let i = 0; i < all.length; i += step) {
  const u = all[i],
    r = await fetch(local(u), { redirect: 'manual' }),
    h = await r.text();
  checked++;
  if (r.status !== 200) {
    fails.push(`${u} status ${r.status}`);
    continue;
  }
  const can = /<link\s+rel="?canonical"?\s+href="([^"]+)"/.exec(h)?.[1];
  if (can !== u) fails.push(`${u} canonical is ${can}`);
  if (/<meta\s+name="?robots"?[^>]*noindex/i.test(h) || /noindex/.test(r.headers.get('x-robots-tag') ?? ''))
    fails.push(`${u} noindex in sitemap`);
  const alt = [...h.matchAll(/<link\s+rel="?alternate"?\s+hreflang="?([\w-]+)"?\s+href="([^"]+)"/g)];
  if (alt.length) {
    if (!alt.some((m) => m[2] === u)) fails.push(`${u} hreflang set lacks itself`);
    if (!alt.some((m) => m[1] === 'x-default')) fails.push(`${u} hreflang set lacks x-default`);
    for (const m of alt) {
      const o = await (await fetch(local(m[2]))).text();
      if (!o.includes(`href="${u}"`)) fails.push(`${m[2]} does not link back to ${u}`);
    }
  }
}
console.log(`${files} sitemap file(s), ${all.length} URLs, ${images} images, ${checked} pages sampled, ${Date.now() - t0} ms`);
finish(a, 'sitemap', { files, urls: all.length, images, checked }, fails.slice(0, 200));
