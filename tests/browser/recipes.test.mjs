// Functions and rules of hosts that cannot be had here, run as those hosts run them: by their documented interface.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFile, copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { sampleShop, vitrine } from './shop.mjs';

const bucket = '[[publish]]\nname = "live"\nkind = "s3"\nbucket = "shop-example"\nregion = "eu-central-1"\n';
const heard = [];
let folder, server, origin;
before(async () => {
  folder = await sampleShop();
  const site = join(folder, 'site.toml');
  await writeFile(site, (await readFile(site, 'utf8')).replace(/^base_url = .*$/m, 'base_url = "https://shop.example"'));
  await appendFile(site, `\n[edge]\ntrusted_proxies = ["198.51.100.0/24"]\nclient_address_header = "X-Shopper"\norigin_secret_header = "X-Origin-Secret"\n\n${bucket}`);
  const built = await vitrine(folder, 'build');
  assert.equal(built.code, 0, built.output);
  server = createServer(async (asked, answer) => {
    const parts = [];
    for await (const part of asked) parts.push(part);
    heard.push({ method: asked.method, path: asked.url, headers: asked.headers, body: Buffer.concat(parts).toString() });
    if (asked.method === 'POST') answer.writeHead(303, { location: '/cart', 'set-cookie': 'cart=x' }).end();
    else answer.writeHead(200, { 'content-type': 'application/json' }).end('{"success":true}');
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${server.address().port}`;
});
after(async () => {
  server?.closeAllConnections();
  server?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function recipe(name) {
  const written = await vitrine(folder, 'recipe', name, '--out', name);
  assert.equal(written.code, 0, written.output);
  return join(folder, name);
}

// A module of a recipe, whatever its ending means to Node.
async function load(path) {
  await copyFile(path, `${path}.mjs`);
  return import(`${path}.mjs`);
}

// What each host hands to its function.
const hosts = {
  'cloudflare-worker': { file: 'worker.js', call: (made, request, env) => made.default.fetch(request, env) },
  'cloudflare-pages': { file: 'edge.js', call: (made, request, env) => made.onRequest({ request, env }) },
  netlify: {
    file: 'netlify/edge-functions/edge.js',
    call: (made, request, env) => {
      globalThis.Netlify = { env: { toObject: () => env } };
      return made.default(request, { ip: request.headers.get('cf-connecting-ip') });
    },
  },
};
for (const [name, { file, call }] of Object.entries(hosts)) {
  test(`${name} leads to the edge with its secret and the shopper's address, and says when it is down`, async () => {
    const made = await load(join(await recipe(name), file));
    const ask = (path, options, edge = origin) => {
      const headers = { 'cf-connecting-ip': '203.0.113.5', 'x-shopper': '192.0.2.1', 'x-origin-secret': 'forged', cookie: 'cart=y', ...options?.headers };
      const body = options?.body && { body: options.body, duplex: 'half' };
      return call(made, new Request(`https://shop.example${path}`, { method: options?.method ?? 'GET', headers, ...body }), { EDGE: edge, ORIGIN_SECRET: 's'.repeat(24) });
    };
    heard.length = 0;
    assert.equal((await ask('/api/v1/cart?a=b')).status, 200);
    const posted = await ask('/cart/lines', { method: 'POST', body: 'sku=X', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    assert.deepEqual([posted.status, posted.headers.get('location'), posted.headers.get('set-cookie')], [303, '/cart', 'cart=x'], 'a browser is led, not the function');
    assert.deepEqual(heard.map(({ method, path, body }) => [method, path, body]), [['GET', '/api/v1/cart?a=b', ''], ['POST', '/cart/lines', 'sku=X']]);
    for (const { headers } of heard) {
      assert.deepEqual([headers['x-origin-secret'], headers['x-shopper'], headers.cookie], ['s'.repeat(24), '203.0.113.5', 'cart=y']);
    }
    const down = 'http://127.0.0.1:9';
    const page = await ask('/cart', {}, down);
    assert.deepEqual([page.status, page.headers.get('cache-control'), page.headers.get('retry-after')], [503, 'no-store', '5']);
    assert.match(await page.text(), /^<!doctype html><html lang=en>/);
    const api = await ask('/api/v1/cart', {}, down);
    assert.deepEqual([api.status, api.headers.get('content-type'), (await api.json()).code], [503, 'application/problem+json', 'edge_down']);
  });
}

test("CloudFront's function knows old addresses and closing slashes, and leads nobody elsewhere", async () => {
  const template = JSON.parse(await readFile(join(await recipe('cloudfront'), 'cloudfront.json'), 'utf8'));
  const code = template.Resources.PagesAddresses.Properties.FunctionCode;
  const handle = (uri) => runInNewContext(`${code}; JSON.stringify(handler({ request: { uri: ${JSON.stringify(uri)} } }))`);
  const location = (uri) => JSON.parse(handle(uri)).headers?.location.value;
  assert.equal(location('/lamps/harbour'), '/products/harbour-table-lamp');
  assert.equal(location('/products/storm-lantern/'), '/products/storm-lantern');
  for (const uri of ['/', '/products/storm-lantern', '//evil.example/', '/\\evil.example/', '/%E0%A4%A', '/__proto__']) assert.equal(location(uri), undefined, uri);
});

test("Cloudflare's rules are put phase by phase, each as JSON", async () => {
  const script = join(await recipe('cloudflare-rules'), 'cloudflare-rules.sh');
  heard.length = 0;
  const env = { ...process.env, CLOUDFLARE_API: origin, CLOUDFLARE_API_TOKEN: 'token', CLOUDFLARE_ZONE_ID: 'zone', EDGE_HOST: 'edge.shop.example', ORIGIN_SECRET: 's'.repeat(24) };
  const run = (more) => new Promise((done) => spawn('sh', [script], { env: { ...env, ...more }, stdio: 'ignore' }).on('exit', done));
  assert.equal(await run({}), 0);
  const put = Object.fromEntries(heard.map(({ path, body }) => [/phases\/(\w+)\/entrypoint/.exec(path)[1], JSON.parse(body).rules]));
  assert.deepEqual(Object.keys(put), ['http_request_origin', 'http_request_cache_settings', 'http_request_late_transform', 'http_response_headers_transform']);
  assert.ok(heard.every(({ method, headers }) => method === 'PUT' && headers.authorization === 'Bearer token'));
  assert.match(put.http_request_origin[0].expression, /http\.request\.uri\.path eq "\/cart" or starts_with\(http\.request\.uri\.path, "\/cart\/"\)/);
  const policy = /Content-Security-Policy: (.*)/.exec(await readFile(join(folder, 'public/_headers'), 'utf8'))[1];
  assert.equal(put.http_response_headers_transform[0].action_parameters.headers['Content-Security-Policy'].value, policy);
  assert.notEqual(await run({ ORIGIN_SECRET: '' }), 0, 'without a secret nothing is written');
});
