// A host as a merchant has one: serves public/ of a build with its `_headers` and `_redirects`, compressed, with the cache classes of a
// CDN, and leads cart, checkout and orders to the edge.
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { readFileSync, existsSync, statSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { binary, vitrine } from './shop.mjs';

const types = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml',
  '.json': 'application/json', '.xml': 'application/xml', '.txt': 'text/plain; charset=utf-8', '.jpg': 'image/jpeg', '.png': 'image/png',
  '.webp': 'image/webp', '.woff2': 'font/woff2', '.ico': 'image/x-icon', '.bin': 'application/octet-stream', '.gif': 'image/gif',
};
const isText = (type) => /^text\/|json|xml|svg|octet-stream/.test(type);
const isDynamic = (path) => /^\/(api|cart|checkout|orders)(\/|$)/.test(path);
const pageCache = 'public, max-age=0, s-maxage=300, stale-while-revalidate=60, stale-if-error=604800';

// `_headers`: a pattern at the line's begin, its headers indented below.
export function rules(text) {
  const found = [];
  for (const line of text.split('\n')) {
    if (/^\S/.test(line)) found.push({ pattern: new RegExp(`^${line.trim().replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*')}$`), headers: [] });
    else if (line.trim()) found.at(-1).headers.push(line.trim().split(/: (.*)/).slice(0, 2));
  }
  return found;
}

function redirects(text) {
  return new Map(text.split('\n').filter(Boolean).map((line) => line.split(' ')).map(([from, to, code]) => [from, [to, Number(code)]]));
}

function encoded(bytes, accepts) {
  const offers = [
    ['br', () => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })],
    ['gzip', () => gzipSync(bytes, { level: 9 })],
  ];
  const [name, make] = offers.find(([name]) => new RegExp(`\\b${name}\\b`).test(accepts)) ?? ['identity', () => bytes];
  return [name, make()];
}

// Builds the shop in a folder and serves it as published. `asked`: what was asked for, and for which purpose. `stop()` ends it.
export async function host(folder) {
  let edge, port;
  const kept = new Map(), log = [];
  const server = createServer((asked, answer) => {
    const { pathname } = new URL(asked.url, 'http://shop');
    log.push({ path: pathname, purpose: asked.headers['sec-purpose'] });
    if (isDynamic(pathname)) {
      const passed = request({ host: '127.0.0.1', port: edge.port, path: asked.url, method: asked.method, headers: asked.headers }, (from) => {
        answer.writeHead(from.statusCode, from.headers);
        from.pipe(answer);
      });
      passed.on('error', () => answer.writeHead(502).end());
      return void asked.pipe(passed);
    }
    const path = decodeURIComponent(pathname);
    const moved = site.redirects.get(path);
    if (moved) return void answer.writeHead(moved[1], { location: moved[0] }).end();
    const file = [path === '/' ? '/index.html' : path, `${path}.html`].map((name) => join(site.folder, normalize(name))).find((name) => existsSync(name) && statSync(name).isFile());
    const status = file ? 200 : 404;
    const found = file ?? join(site.folder, '404.html');
    const type = types[extname(found)] ?? 'application/octet-stream';
    const bytes = readFileSync(found);
    const key = `${found} ${asked.headers['accept-encoding'] ?? ''}`;
    if (!kept.has(key)) kept.set(key, isText(type) ? encoded(bytes, asked.headers['accept-encoding'] ?? '') : ['identity', bytes]);
    const [encoding, body] = kept.get(key);
    const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
    const headers = { 'content-type': type, 'cache-control': type.startsWith('text/html') ? pageCache : 'public, max-age=0, s-maxage=3600', etag, vary: 'Accept-Encoding' };
    for (const rule of site.rules.filter(({ pattern }) => pattern.test(path))) {
      for (const [name, value] of rule.headers) headers[name.toLowerCase()] = value;
    }
    if (encoding !== 'identity') headers['content-encoding'] = encoding;
    if (asked.headers['if-none-match'] === etag) return void answer.writeHead(304, headers).end();
    answer.writeHead(status, headers).end(asked.method === 'HEAD' ? undefined : body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  port = server.address().port;
  const url = `http://127.0.0.1:${port}`;
  const built = await vitrine(folder, 'build', '--base-url', url);
  if (built.code !== 0) throw new Error(built.output);
  const text = (name) => readFileSync(join(folder, 'public', name), 'utf8');
  const site = { folder: join(folder, 'public'), rules: rules(text('_headers')), redirects: redirects(text('_redirects')) };
  edge = await startEdge(folder);
  return {
    url,
    folder,
    asked: log,
    async stop() {
      edge.process.kill('SIGTERM');
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

// Runs the edge of a shop's folder until its address is printed.
export function startEdge(folder, { listen = '127.0.0.1:0', environment = {} } = {}) {
  const words = ['edge', '--listen', listen, '--operator', '127.0.0.1:0'];
  const env = { ...globalThis.process.env, ...environment };
  const process = spawn(binary, words, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let told = '';
  return new Promise((ready, broken) => {
    process.stderr.on('data', (chunk) => {
      told += chunk;
      const port = /cart and checkout on http:\/\/127\.0\.0\.1:(\d+)/.exec(told)?.[1];
      if (port) ready({ process, port: Number(port) });
    });
    process.on('exit', (code) => broken(new Error(`vitrine edge ended with ${code}:\n${told}`)));
  });
}
