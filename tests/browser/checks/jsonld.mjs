// JSON-LD, canonical, OpenGraph and price-consistency rules for shop pages. Own rule set after Google Search Central's merchant listing, variant, breadcrumb and return-policy pages.
// node jsonld.mjs --base URL --paths ... [--level recommended] [--origin https://shop.example]
import { args, finish } from './lib.mjs';
const a = args({ level: 'recommended', origin: '' }),
  fails = [],
  warns = [],
  report = {};
const S = (s) => String(s ?? '').replace(/^https?:\/\/schema\.org\//, '');
const arr = (x) => (x == null ? [] : Array.isArray(x) ? x : [x]);
const is = (n, t) => arr(n?.['@type']).map(S).includes(t);
const abs = (u) => {
  try {
    return /^https?:$/.test(new URL(u).protocol);
  } catch {
    return false;
  }
};
const AVAIL = [
  'BackOrder',
  'Discontinued',
  'InStock',
  'InStoreOnly',
  'LimitedAvailability',
  'OnlineOnly',
  'OutOfStock',
  'PreOrder',
  'PreSale',
  'SoldOut',
  'MadeToOrder',
  'Reserved',
];
const COND = ['NewCondition', 'RefurbishedCondition', 'UsedCondition', 'DamagedCondition'];
const RET = ['MerchantReturnFiniteReturnWindow', 'MerchantReturnNotPermitted', 'MerchantReturnUnlimitedWindow'];
const cur = new Set(Intl.supportedValuesOf('currency'));
export const gtinOk = (g) =>
  /^(\d{8}|\d{12,14})$/.test(g) &&
  [...g]
    .reverse()
    .slice(1)
    .reduce((s, d, i) => s + d * (i % 2 ? 1 : 3), 0) %
    10 ===
    (10 - Number(g.at(-1))) % 10;
const decode = (s) =>
  s
    .replace(/&quot;/g, '"')
    .replace(/&#39;|&apos;/g, "'")
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&');
// What the shop says once for all its offers, on its home page.
const home = await (await fetch(`${a.base}/`)).text();
const once = (key) => home.includes(`"${key}":`);
function check(p, html, E, W) {
  const head = (re) => [...html.matchAll(re)].map((m) => decode(m[1]));
  const canon = head(/<link\s+rel="?canonical"?\s+href="([^"]+)"/g);
  if (canon.length !== 1 || !abs(canon[0])) E(`needs exactly one absolute canonical, has ${canon.length}`);
  for (const k of ['og:type', 'og:title', 'og:description', 'og:url', 'og:image'])
    if (!new RegExp(`<meta\\s+property="?${k}"?\\s+content="[^"]+"`).test(html)) W(`missing ${k}`);
  if (!/<title>[^<]{5,}<\/title>/.test(html)) E('no title');
  if (!/<meta\s+name="?description"?\s+content="[^"]{20,}"/.test(html)) W('no meta description');
  const raw = [...html.matchAll(/<script[^>]*type="?application\/ld\+json"?[^>]*>([\s\S]*?)<\/script>/g)].map((m) => m[1]);
  const nodes = [];
  for (const r of raw)
    try {
      const j = JSON.parse(r);
      for (const x of arr(j)) {
        if (!/^https?:\/\/schema\.org\/?$/.test(x['@context'])) E('@context is not schema.org');
        nodes.push(...(x['@graph'] ?? [x]));
      }
    } catch (e) {
      E(`JSON-LD does not parse: ${e.message}`);
    }
  const byId = new Map(nodes.filter((n) => n['@id']).map((n) => [n['@id'], n]));
  const deref = (n) => (n && Object.keys(n).length === 1 && n['@id'] && byId.get(n['@id'])) || n;
  const text = decode(html.replace(/<(script|style)[\s\S]*?<\/\1>/g, ' ').replace(/<[^>]+>/g, ' '));
  const priceShown = (v) => {
    const [i, f = '00'] = Number(v).toFixed(2).split('.');
    const g = i.replace(/\B(?=(\d{3})+$)/g, "[.,\u00a0\u202f' ]?");
    return new RegExp(`(?<!\\d)${g}([.,]${f}|${f === '00' ? '(?![.,]?\\d)' : '[.,]' + f})`).test(text);
  };
  const offer = (o, where, visible) => {
    o = deref(o);
    const specs = arr(o.priceSpecification);
    if (is(o, 'AggregateOffer')) return E(`${where}: AggregateOffer is not eligible for merchant listings`);
    const active = o.price ?? specs.find((s) => !s.priceType && !s.validForMemberTier)?.price,
      cc = o.priceCurrency ?? specs[0]?.priceCurrency;
    if (!(Number(active) > 0)) E(`${where}: price must be > 0`);
    else {
      if (!/^\d+(\.\d{1,3})?$/.test(String(active))) E(`${where}: price "${active}" is not a plain decimal`);
      if (visible && !priceShown(active)) E(`${where}: price ${active} is not in the visible text`);
    }
    if (!cur.has(cc)) E(`${where}: priceCurrency ${cc} is not ISO 4217`);
    if (!o.availability) W(`${where}: availability missing`);
    else if (!AVAIL.includes(S(o.availability))) E(`${where}: availability ${o.availability}`);
    if (o.itemCondition && !COND.includes(S(o.itemCondition))) E(`${where}: itemCondition ${o.itemCondition}`);
    if (o.url && !abs(o.url)) E(`${where}: offer url is not absolute`);
    for (const s of specs)
      if (S(s.priceType) === 'StrikethroughPrice' || S(s.priceType) === 'ListPrice') {
        if (!(Number(s.price) > Number(active))) E(`${where}: ${S(s.priceType)} is not above the active price`);
        if (visible && !priceShown(s.price)) E(`${where}: struck price ${s.price} not visible`);
      }
    if (!o.shippingDetails && !once('hasShippingService'))
      W(`${where}: shippingDetails missing (or put hasShippingService on the Organization)`);
    for (const s of arr(o.shippingDetails).map(deref)) {
      if (
        !s.shippingRate ||
        s.shippingRate.currency === undefined ||
        (s.shippingRate.value ?? s.shippingRate.maxValue) === undefined
      )
        W(`${where}: shippingRate needs value and currency`);
      if (!arr(s.shippingDestination).every((d) => /^[A-Z]{2}$/.test(d.addressCountry)) || !s.shippingDestination)
        W(`${where}: shippingDestination.addressCountry`);
      if (!s.deliveryTime?.handlingTime || !s.deliveryTime?.transitTime)
        W(`${where}: deliveryTime needs handlingTime and transitTime`);
    }
    if (!o.hasMerchantReturnPolicy && !once('hasMerchantReturnPolicy'))
      W(`${where}: hasMerchantReturnPolicy missing (or put it on the Organization)`);
    for (const r of arr(o.hasMerchantReturnPolicy).map(deref)) policy(r, where);
  };
  const policy = (r, where) => {
    if (r.merchantReturnLink && !r.returnPolicyCategory) return;
    if (!arr(r.applicableCountry).length || !arr(r.applicableCountry).every((c) => /^[A-Z]{2}$/.test(c)))
      E(`${where}: return policy applicableCountry`);
    if (!RET.includes(S(r.returnPolicyCategory))) E(`${where}: returnPolicyCategory ${r.returnPolicyCategory}`);
    if (S(r.returnPolicyCategory) === RET[0] && !(Number(r.merchantReturnDays) > 0))
      E(`${where}: merchantReturnDays required for a finite window`);
    if (S(r.returnFees) === 'ReturnShippingFees' && !r.returnShippingFeesAmount) E(`${where}: returnShippingFeesAmount required`);
  };
  const product = (n, where, { inGroup = false, visible = true } = {}) => {
    if (!n.name) E(`${where}: name missing`);
    if (!arr(n.image).length) E(`${where}: image missing`);
    else for (const i of arr(n.image)) if (!abs(i.url ?? i)) E(`${where}: image not absolute`);
    if (!arr(n.offers).length) E(`${where}: offers missing`);
    for (const o of arr(n.offers)) offer(o, where, visible);
    const g = n.gtin ?? n.gtin14 ?? n.gtin13 ?? n.gtin12 ?? n.gtin8;
    if (g !== undefined && !gtinOk(String(g))) E(`${where}: gtin ${g} has a wrong check digit`);
    if (!inGroup) for (const k of ['description', 'brand']) if (!n[k]) W(`${where}: ${k} missing`);
    if (g === undefined && !(n.mpn && n.brand) && !n.sku) W(`${where}: no gtin, mpn or sku`);
  };
  for (const n of nodes) {
    if (is(n, 'ProductGroup')) {
      if (!n.name) E('ProductGroup: name missing');
      if (!n.productGroupID) E('ProductGroup: productGroupID missing');
      const v = arr(n.hasVariant).map(deref),
        vb = arr(n.variesBy).map(S);
      if (!v.length) E('ProductGroup: hasVariant empty');
      if (!vb.length) W('ProductGroup: variesBy missing');
      const seen = new Set();
      for (const [i, x] of v.entries()) {
        if (Object.keys(x).length === 1 && x.url) continue;
        product({ ...x, name: x.name ?? n.name, image: x.image ?? n.image }, `variant ${x.sku ?? i}`, {
          inGroup: true,
          visible: false,
        });
        const key = vb.map((k) => JSON.stringify(x[k])).join('|');
        if (seen.has(key)) E(`variant ${x.sku ?? i}: same ${vb.join('+')} as another`);
        seen.add(key);
        if (!x.sku && !x.gtin && !x.gtin13) E(`variant ${i}: needs its own sku or gtin`);
        if (arr(x.offers)[0] && !deref(arr(x.offers)[0]).url && !x.url) W(`variant ${x.sku ?? i}: no own url`);
      }
    } else if (is(n, 'Product')) product(n, `Product ${n.sku ?? n.name}`);
    else if (is(n, 'BreadcrumbList')) {
      const l = arr(n.itemListElement);
      if (l.length < 2) E('BreadcrumbList: needs two or more items');
      l.forEach((x, i) => {
        if (x.position !== i + 1) E(`BreadcrumbList: position ${x.position} at ${i}`);
        if (!(x.name ?? x.item?.name)) E('BreadcrumbList: name missing');
        if (i < l.length - 1 && !abs(x.item?.['@id'] ?? x.item)) E('BreadcrumbList: item URL missing');
      });
    } else if (is(n, 'ItemList')) {
      const l = arr(n.itemListElement);
      if (new Set(l.map((x) => x.url ?? x.item?.url ?? x.item)).size !== l.length) E('ItemList: duplicate URLs');
      l.forEach((x, i) => {
        if (x.position !== i + 1) E('ItemList: positions');
      });
    } else if (is(n, 'Organization') || is(n, 'OnlineStore')) {
      if (!n.name || !abs(n.url)) E('Organization: name and absolute url');
      for (const r of arr(n.hasMerchantReturnPolicy).map(deref)) policy(r, 'Organization');
      for (const s of arr(n.hasShippingService).map(deref)) {
        if (!s.name || !arr(s.shippingConditions).length) E('ShippingService: name and shippingConditions');
        for (const c of arr(s.shippingConditions)) {
          if (!arr(c.shippingDestination?.addressCountry).every((code) => /^[A-Z]{2}$/.test(code)))
            E(`${s.name}: addressCountry`);
          if (!(Number(c.shippingRate?.value) >= 0) || !cur.has(c.shippingRate?.currency)) E(`${s.name}: shippingRate`);
          if (!(c.transitTime?.duration?.maxValue >= c.transitTime?.duration?.minValue)) W(`${s.name}: transitTime`);
        }
      }
    }
  }
  return { canonical: canon[0], types: nodes.map((n) => arr(n['@type']).map(S).join('+')) };
}
let n = 0;
const t0 = Date.now();
for (const p of a.paths) {
  const html = await (await fetch(a.base + p)).text();
  report[p] = check(
    p,
    html,
    (m) => fails.push(`${p} ${m}`),
    (m) => warns.push(`${p} ${m}`),
  );
  n++;
}
for (const w of warns) console.log(`WARN ${w}`);
console.log(`${n} page(s) in ${Date.now() - t0} ms, ${warns.length} recommended-property warning(s)`);
finish(a, 'jsonld', { pages: report, warns }, a.level === 'recommended' ? [...fails, ...warns] : fails);
