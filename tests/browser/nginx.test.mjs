// Debian's nginx before the edge, with the configuration that `vitrine recipe nginx` writes for the shop: what a merchant gets.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { rules, startEdge } from './host.mjs';
import { addToCart, card, fillDetails, openCheckout, orderNumber, pay, payWithCard } from './purchase.mjs';
import { asShopper, freePort, launch, sampleShop, vitrine } from './shop.mjs';

const program = process.env.NGINX ?? (existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx');
const secret = 'a-secret-that-nobody-guesses';
const page = 'public, max-age=0, s-maxage=300, stale-while-revalidate=60, stale-if-error=604800';

// nginx as whoever runs the tests, in a folder of its own.
async function startNginx(folder, id) {
  const own = join(folder, 'nginx');
  await mkdir(join(own, 'temp'), { recursive: true });
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path temp/${name};`).join(' ');
  const around = `daemon off; master_process off; pid nginx.pid; error_log error.log; events {} http { ${places} include ${id}.conf; }`;
  await writeFile(join(own, 'nginx.conf'), around);
  const words = ['-p', own, '-e', 'error.log', '-c', 'nginx.conf'];
  const tested = spawnSync(program, [...words, '-t'], { encoding: 'utf8' });
  assert.equal(tested.status, 0, tested.stderr);
  assert.doesNotMatch(tested.stderr, /warn/, tested.stderr);
  return spawn(program, words, { stdio: 'ignore' });
}

const listening = (port) => new Promise((done) => {
  const look = () => connect(port, '127.0.0.1').on('connect', function () { this.destroy(); done(); }).on('error', () => setImmediate(look));
  look();
});

// One request on a connection of its own, neither followed nor unpacked; its path goes out as it stands.
function ask(port, path, { method = 'GET', headers = {}, body } = {}) {
  return new Promise((done, failed) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part)).on('end', () => {
        const bytes = Buffer.concat(parts);
        done({ status: answer.statusCode, headers: answer.headers, bytes, text: bytes.toString('utf8') });
      });
    });
    asked.on('error', failed).end(body);
  });
}

let folder, port, edge, edgePort, nginx, browser, manifest;
const environment = { VITRINE_ORIGIN_SECRETS: `${secret},the-one-of-the-day-before` };
const built = (path) => readFile(join(folder, 'public', path));
before(async () => {
  folder = await sampleShop();
  [port, edgePort] = [await freePort(), await freePort()];
  const site = join(folder, 'site.toml');
  await writeFile(site, (await readFile(site, 'utf8')).replace(/^base_url = .*$/m, `base_url = "http://127.0.0.1:${port}"`));
  await appendFile(site, '\n[edge]\ntrusted_proxies = ["127.0.0.1"]\norigin_secret_header = "X-Origin-Secret"\n');
  const lantern = join(folder, 'content/products/light/storm-lantern.md');
  const text = await readFile(lantern, 'utf8');
  await writeFile(lantern, text.replace(/^title = /m, 'redirects = ["/old/lantern", "/Old/Lantern", "/früher/ol-lampe", "/a;b{c}$d\'e"]\ntitle = '));
  await writeFile(join(folder, 'content/pages/503.md'), '+++\ntitle = "Back in a minute"\n+++\n\nYour cart is kept.\n');
  const done = await vitrine(folder, 'build');
  assert.equal(done.code, 0, done.output);
  manifest = JSON.parse(await built('manifest.json')).files;
  const packed = Object.keys(manifest).filter((path) => /\.(html|css|js|json|xml|svg|txt)$/.test(path));
  await Promise.all(packed.map(async (path) => writeFile(join(folder, 'public', `${path}.gz`), gzipSync(await built(path), { level: 9 }))));
  const where = ['--folder', join(folder, 'public'), '--log', join(folder, 'nginx'), '--out', join(folder, 'nginx')];
  const written = await vitrine(folder, 'recipe', 'nginx', '--listen', `127.0.0.1:${port}`, '--edge', `127.0.0.1:${edgePort}`, ...where);
  assert.equal(written.code, 0, written.output);
  assert.doesNotMatch(written.output, /note:/, 'there is nothing left to say');
  await writeFile(join(folder, 'nginx/lumen-and-loam-origin-secret.conf'), `proxy_set_header X-Origin-Secret "${secret}";\n`);
  edge = await startEdge(folder, { listen: `127.0.0.1:${edgePort}`, environment });
  nginx = await startNginx(folder, 'lumen-and-loam');
  await listening(port);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  nginx?.kill();
  edge?.process.kill();
  if (folder) await rm(folder, { recursive: true, force: true });
});

// The address of a file of the build.
const address = (path) => (path === 'index.html' ? '/' : `/${encodeURI(path.replace(/\.html$/, ''))}`);

test('every file stands at its address, with its type, its class of caches and what _headers says', async () => {
  const [all] = rules(await built('_headers').then(String));
  const classes = { page, feed: 'public, max-age=0, s-maxage=3600', immutable: 'public, max-age=31536000, immutable' };
  let seen = 0;
  for (const [path, entry] of Object.entries(manifest)) {
    if (['404.html', '503.html', '_headers', '_redirects'].includes(path)) continue;
    const got = await ask(port, address(path));
    const isOld = entry.cache === 'page' && got.status === 301;
    if (isOld) continue;
    assert.equal(got.status, 200, path);
    assert.ok(got.bytes.equals(await built(path)), `${path} is as it was built`);
    assert.equal(got.headers['content-type'], entry.type, path);
    assert.equal(got.headers['cache-control'], classes[entry.cache], path);
    for (const [name, value] of all.headers) assert.equal(got.headers[name.toLowerCase()], value, `${name} of ${path}`);
    seen += 1;
  }
  assert.ok(seen > 100, `${seen} files`);
});

test('packed files are sent as they lie there, and what a browser has is not sent again', async () => {
  const got = await ask(port, '/products/storm-lantern', { headers: { 'accept-encoding': 'gzip' } });
  assert.ok(got.bytes.equals(await built('products/storm-lantern.html.gz')), 'the file beside the page');
  assert.deepEqual([got.headers['content-encoding'], got.headers.vary], ['gzip', 'Accept-Encoding']);
  const again = await ask(port, '/products/storm-lantern', { headers: { 'accept-encoding': 'gzip', 'if-none-match': got.headers.etag } });
  assert.deepEqual([again.status, again.headers['cache-control']], [304, page], 'a page stays a page when it is asked for again');
});

test('old addresses lead on, closing slashes go, and what is missing is the 404 of the shop', async () => {
  for (const old of ['/old/lantern', '/Old/Lantern', '/fr%C3%BCher/ol-lampe', "/a;b{c}$d'e"]) {
    const got = await ask(port, old);
    assert.deepEqual([got.status, got.headers.location], [301, '/products/storm-lantern'], old);
  }
  assert.deepEqual(await ask(port, '/products/storm-lantern/?a=b').then(({ status, headers }) => [status, headers.location]), [301, '/products/storm-lantern?a=b']);
  for (const path of ['/nothing', '/products/nothing', '/OLD/LANTERN', '/404.html', '/_headers', '/_redirects', '/manifest.json', '/cartoon', '/a/none.js']) {
    const got = await ask(port, path);
    assert.equal(got.status, 404, path);
    assert.ok(got.bytes.equals(await built('404.html')), path);
    assert.match(got.headers['content-security-policy'], /default-src 'none'/);
    assert.equal(got.headers['cache-control'], page);
  }
  assert.equal((await ask(port, '/products/storm-lantern', { method: 'POST' })).status, 405);
});

test('nobody is led to another host, and no header is smuggled in', async () => {
  for (const path of ['//evil.example/', '/%2Fevil.example/', '/%5Cevil.example/', '/%5C%5Cevil.example/', '/x%0d%0aset-cookie:%20a=b/', '/%09/evil.example/']) {
    const got = await ask(port, path);
    assert.ok(!/^(\/\/|\/\\|[a-z]+:)/.test(got.headers.location ?? ''), `${path} leads to ${got.headers.location}`);
    assert.equal(got.headers['set-cookie'], undefined, path);
  }
});

test('the largest cart that there is goes through, with the policy of its page', async () => {
  const skus = [...new Set((await Promise.all(Object.keys(manifest).filter((path) => /^products\/.*\.html$/.test(path)).map((path) => built(path).then(String))))
    .flatMap((html) => [...html.matchAll(/name="?sku"?[^>]*value="?([A-Z0-9-]+)/g)].map(([, sku]) => sku)))];
  let cookie = '', largest = 0;
  for (let round = 0, refused = 0; refused < 40 && round < 400; round += 1) {
    const sku = skus[round % skus.length];
    const properties = { engraving: `${round}`.padEnd(12, 'x') };
    const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', cookie };
    let got = await ask(port, '/api/v1/cart/lines', { method: 'POST', headers, body: JSON.stringify({ sku, quantity: 1, properties }) });
    if (got.status === 422) got = await ask(port, '/api/v1/cart/lines', { method: 'POST', headers, body: JSON.stringify({ sku, quantity: 1 }) });
    const set = (got.headers['set-cookie'] ?? []).find((line) => line.startsWith('cart='));
    if (got.status === 200 && set) [cookie] = set.split(';');
    else refused += 1;
    largest = Math.max(largest, cookie.length);
  }
  // What a browser has beside it.
  const others = Array.from({ length: 4 }, (_, number) => `other${number}=${'y'.repeat(1000)}`).join('; ');
  const got = await ask(port, '/cart', { headers: { cookie: `${others}; ${cookie}` } });
  assert.equal(got.status, 200, `with a cart of ${largest} bytes`);
  assert.match(got.headers['content-security-policy'], /default-src 'none'/);
  const code = await ask(port, '/api/v1/cart', { headers: { cookie } });
  assert.ok(JSON.parse(code.text).lines.length >= Math.min(skus.length, 20), `${JSON.parse(code.text).lines.length} lines in ${largest} bytes`);
  // Whatever an answer holds: a head of 12 kB is more than any cart and policy.
  const wide = createServer((_, answer) => answer.writeHead(200, { 'set-cookie': `cart=${'z'.repeat(4000)}`, 'content-security-policy': 'x'.repeat(8000) }).end('ok'));
  await withEdges([wide], async (through) => assert.equal((await ask(through, '/cart')).headers['content-security-policy'].length, 8000));
});

test('the edge refuses who passes nginx by, and nobody else', async () => {
  assert.equal((await ask(edgePort, '/cart')).status, 403);
  assert.equal((await ask(edgePort, '/api/v1/cart', { headers: { 'x-origin-secret': 'guessed-and-guessed-wrong' } })).status, 403);
  assert.equal((await ask(port, '/cart')).status, 200);
  assert.equal((await ask(port, '/cart', { headers: { 'x-origin-secret': 'guessed-and-guessed-wrong' } })).status, 200, 'nginx writes its own');
  const got = await ask(port, '/cart');
  assert.ok(!JSON.stringify(got.headers).includes(secret) && !got.text.includes(secret));
});

test('the edge knows who asks', async () => {
  const step = (shopper) => ask(port, '/api/v1/checkouts', { method: 'POST', headers: { 'x-forwarded-for': shopper } });
  let status = 0;
  for (let count = 0; count < 2_000 && status !== 429; count += 1) ({ status } = await step('203.0.113.5'));
  assert.equal(status, 429, 'one address is held back');
  assert.notEqual((await step('203.0.113.6')).status, 429, 'and another is not');
});

// nginx of its own before servers of the test's own.
async function withEdges(servers, steps) {
  const ports = await Promise.all(servers.map((server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)))));
  const [through, at] = [await freePort(), join(folder, `edges-${ports[0]}`)];
  await mkdir(at);
  const edges = ports.flatMap((number) => ['--edge', `127.0.0.1:${number}`]);
  const where = ['--folder', join(folder, 'public'), '--log', join(at, 'nginx'), '--out', join(at, 'nginx')];
  const written = await vitrine(folder, 'recipe', 'nginx', '--listen', `127.0.0.1:${through}`, ...edges, ...where);
  assert.equal(written.code, 0, written.output);
  await writeFile(join(at, 'nginx/lumen-and-loam-origin-secret.conf'), `proxy_set_header X-Origin-Secret "${secret}";\n`);
  const server = await startNginx(at, 'lumen-and-loam');
  try {
    await listening(through);
    return await steps(through);
  } finally {
    server.kill();
    servers.forEach((server) => { server.closeAllConnections(); server.close(); });
  }
}

test('what could buy something is never sent twice', async () => {
  const heard = [];
  // Two edges that hear a request and die of it.
  const dying = () => createServer((asked) => { heard.push(asked.method); asked.socket.destroy(); });
  for (const method of ['POST', 'PATCH', 'PUT', 'DELETE', 'GET']) {
    heard.length = 0;
    const got = await withEdges([dying(), dying()], (through) => ask(through, '/api/v1/cart', { method }));
    assert.equal(got.status, 503, method);
    assert.equal(heard.length, method === 'GET' ? 2 : 1, `${method} was heard ${heard.length} times`);
  }
});

test('an edge that is gone is told, pages stay, and it is found again', async () => {
  edge.process.kill('SIGKILL');
  await new Promise((done) => edge.process.on('exit', done));
  for (const [path, method] of [['/cart', 'GET'], ['/checkout', 'POST'], ['/orders/x', 'GET']]) {
    const got = await ask(port, path, { method });
    assert.equal(got.status, 503, path);
    assert.ok(got.bytes.equals(await built('503.html')), 'the page of the shop');
    assert.deepEqual([got.headers['cache-control'], got.headers['retry-after']], ['no-store', '5']);
    assert.match(got.headers['content-security-policy'], /default-src 'none'/);
  }
  for (const method of ['GET', 'DELETE']) {
    const got = await ask(port, '/api/v1/cart', { method });
    assert.deepEqual([got.status, got.headers['content-type'], JSON.parse(got.text).code], [503, 'application/problem+json', 'edge_down']);
    assert.equal(got.headers['cache-control'], 'no-store');
  }
  assert.equal((await ask(port, '/products/storm-lantern')).status, 200);
  edge = await startEdge(folder, { listen: `127.0.0.1:${edgePort}`, environment });
  assert.equal((await ask(port, '/cart')).status, 200);
});

test('a purchase goes through it', () => {
  const shop = { url: `http://127.0.0.1:${port}`, output: () => '' };
  return asShopper(browser, shop, {}, async (page) => {
    await addToCart(page, shop, 'storm-lantern');
    await page.locator('dialog[open]').waitFor();
    await openCheckout(page, shop);
    await fillDetails(page);
    await pay(page);
    await payWithCard(page, card.good);
    assert.match(await orderNumber(page), /^LL-/);
    const log = await readFile(join(folder, 'nginx/lumen-and-loam.log'), 'utf8');
    assert.match(log, / 303 POST \/checkout/);
    assert.doesNotMatch(log, /\?|127\.0\.0\.1/, 'neither an address nor what proves an order');
  });
});
