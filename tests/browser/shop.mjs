// A whole shop for one test file: a copy of the sample shop (or any folder) served by `vitrine serve` on a free port, and a browser.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFile, cp, mkdtemp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const dataFolder = process.env.VITRINE_DATA ?? resolve(root, '../shared/data');
export const binary = process.env.VITRINE_BINARY ?? join(root, 'target/ci/vitrine');
const artefacts = process.env.VITRINE_ARTEFACTS ?? join(root, 'tests/artefacts');

export async function freePort() {
  const probe = createServer();
  await new Promise((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

// Copies the sample shop into a folder of its own, so that a test may edit it.
export async function sampleShop() {
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-shop-'));
  for (const part of ['site.toml', 'price-history.jsonl', 'content', 'static', 'templates']) {
    await cp(join(root, part), join(folder, part), { recursive: true });
  }
  return folder;
}

// A shop without products of its own that sells what an export of another shop holds, or a file of bulk; `more` follows in site.toml.
export async function exportedShop(file, format = 'shopify', more = '') {
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-shop-'));
  await vitrine(folder, 'init', '.');
  for (const part of ['content/products', 'content/categories', 'content/promotions']) {
    await rm(join(folder, part), { recursive: true });
  }
  const source = `\n[[sources]]\nformat = "${format}"\npath = ${JSON.stringify(file)}\n${more}`;
  await appendFile(join(folder, 'site.toml'), source);
  return folder;
}

// Runs `vitrine serve` until its address is printed, with more environment. `stop()` ends it and removes the folder.
export async function serve(folder, environment = {}) {
  const port = await freePort();
  const env = { ...process.env, ...environment };
  const server = spawn(binary, ['serve', '--port', String(port)], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const url = `http://127.0.0.1:${port}`;
  await new Promise((ready, broken) => {
    const read = (chunk) => {
      output += chunk;
      if (output.includes(url)) ready();
    };
    server.stdout.on('data', read);
    server.stderr.on('data', read);
    server.on('exit', (code) => broken(new Error(`vitrine serve ended with ${code}:\n${output}`)));
  });
  const ended = new Promise((done) => server.on('exit', done));
  return {
    url,
    folder,
    output: () => output,
    async mails() {
      const names = await readdir(join(folder, '.vitrine/mail')).catch(() => []);
      return Promise.all(names.sort().map((name) => readFile(join(folder, '.vitrine/mail', name), 'utf8')));
    },
    async stop() {
      server.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

// Runs one vitrine command to its end.
export function vitrine(folder, ...words) {
  return new Promise((done) => {
    const child = spawn(binary, words, { cwd: folder });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('exit', (code) => done({ code, output }));
  });
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
}

// Steps of a fresh shopper. Anything a page asks from elsewhere, any script error and any console error fails the test, save what is meant.
export async function asShopper(browser, shop, options, steps, isMeant = () => false) {
  const { page, context, trouble } = await shopper(browser, options);
  try {
    await steps(page, context);
    const wrong = trouble.filter((line) => !isMeant(line));
    assert.deepEqual(wrong, [], 'no script error, nothing that the policy forbids, no request to elsewhere');
  } catch (error) {
    await picture(page, `failed-${Date.now()}`).catch(() => {});
    error.message += `\nat ${page.url()}\n${shop.output().slice(-1500)}`;
    throw error;
  } finally {
    await context.close();
  }
}

export async function shopper(browser, { script = true, phone = false, dark = false, pictures = true, policy = true } = {}) {
  const context = await browser.newContext({
    javaScriptEnabled: script,
    bypassCSP: !policy,
    viewport: phone ? { width: 360, height: 740 } : { width: 1280, height: 900 },
    hasTouch: phone,
    isMobile: phone,
    colorScheme: dark ? 'dark' : 'light',
  });
  if (!pictures) await context.route(/^https:/, (route) => route.abort());
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const trouble = [];
  // A busy browser gives up the transition between two pages, and says so even where script is off.
  const isGivenUp = (text) => /^Transition was (aborted|skipped)/.test(text);
  page.on('pageerror', (error) => isGivenUp(error.message) || trouble.push(`script error: ${error.message}`));
  // A form that is refused is answered with 409 or 422, which the browser notes: that is no trouble.
  const isRefusal = (text) => /status of (409|422)/.test(text) || (!pictures && /ERR_FAILED/.test(text));
  page.on('console', (message) => {
    if (message.type() === 'error' && !isRefusal(message.text())) trouble.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (!pictures && request.resourceType() === 'image') return;
    if (protocol.startsWith('http') && hostname !== '127.0.0.1') trouble.push(`request to ${hostname}`);
  });
  return { page, context, trouble };
}

export async function picture(page, name, fullPage = true) {
  await mkdir(artefacts, { recursive: true });
  await page.screenshot({ path: join(artefacts, `${name}.png`), fullPage });
}

export const address = {
  email: 'ada@example.com', phone: '', name: 'Ada Example', line1: 'Lindenweg 4', line2: '', city: 'Berlin', region: '',
  postal_code: '10115',
};
