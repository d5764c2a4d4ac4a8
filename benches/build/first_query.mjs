// What a shopper's first query fetches before its first result can be drawn, replayed with the shop's own script out of a finished output:
//
//     node benches/build/first_query.mjs OUT QUERY…
//
// Prints one line of JSON for each query: requests, their bytes, and those bytes as a CDN with Brotli sends them. The script itself counts.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';

const [out, ...queries] = process.argv.slice(2);
const name = readdirSync(join(out, 'a')).find((file) => /^search\.[^.]+\.js$/.test(file));
const script = readFileSync(join(out, 'a', name));

// Enough of a document for the script to begin: there is a field, and nothing on the page asks yet.
globalThis.document = {
  querySelector: (selector) => (selector === '[data-search]' ? { dataset: { prefix: '' } } : null),
  querySelectorAll: () => [],
};
let fetched;
const count = (url, bytes) => fetched.set(url, [bytes.length, brotliCompressSync(bytes).length]);
globalThis.fetch = async (url) => {
  const bytes = readFileSync(join(out, url));
  count(url, bytes);
  return { ok: true, json: async () => JSON.parse(bytes) };
};

for (const query of queries) {
  fetched = new Map();
  count(`/a/${name}`, script);
  // A fresh copy for each, which remembers no file of the one before.
  const text = `${script}\nexport { cards, withFiles, FIRST };\n// ${createHash('sha256').update(query).digest('hex')}`;
  const { cards, find, withFiles, FIRST } = await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`);
  const { found, shown } = await withFiles(async (head) => {
    const { found } = await find(head, query);
    return { found, shown: await cards(head, found.slice(0, FIRST)) };
  });
  if (!shown.length) throw new Error(`nothing is found for ${query}`);
  const sum = (place) => [...fetched.values()].reduce((all, sizes) => all + sizes[place], 0);
  console.log(JSON.stringify({ query, found: found.length, requests: fetched.size, bytes: sum(0), brotli: sum(1) }));
}
