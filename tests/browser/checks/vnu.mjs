// The Nu HTML checker (offline, Java): node vnu.mjs --base URL --paths … or --folder public, every page below it.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { writeFileSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { args, finish } from './lib.mjs';
const here = dirname(fileURLToPath(import.meta.url));
const a = args({
  cookie: '',
  jar: join(here, '../node_modules/vnu-jar/build/dist/vnu.jar'),
  folder: '',
  warnings: 'fail',
  allow: 'Unrecognized at-rule “@view-transition”|Attribute “elementtiming” not allowed|“reading-flow”: Property',
});
const files = a.folder
  ? readdirSync(a.folder, { recursive: true })
      .filter((name) => name.endsWith('.html'))
      .map((name) => join(a.folder, name))
  : [];
if (!files.length) {
  const d = mkdtempSync(join(tmpdir(), 'vnu-'));
  for (const [i, p] of a.paths.entries()) {
    const r = await fetch(a.base + p, { headers: a.cookie ? { cookie: a.cookie } : {} });
    const f = join(d, `${i}${p.replace(/[^a-z0-9]+/gi, '_')}.html`);
    writeFileSync(f, await r.text());
    files.push(f);
  }
}
const t0 = Date.now();
let msgs = [];
for (let i = 0; i < files.length; i += 500) {
  const out = await promisify(execFile)(
    'java',
    ['-Xss4m', '-jar', a.jar, '--format', 'json', '--exit-zero-always', ...files.slice(i, i + 500)],
    { maxBuffer: 1 << 28 },
  ).then(
    (r) => r.stderr,
    (e) => e.stderr,
  );
  msgs.push(...JSON.parse(out).messages);
}
const ok = new RegExp(a.allow || '$^'); // newer platform features that the checker does not know yet
const bad = msgs.filter((m) => !ok.test(m.message) && (m.type === 'error' || (a.warnings === 'fail' && m.subType === 'warning')));
console.log(`vnu ${files.length} file(s) in ${Date.now() - t0} ms, ${msgs.length} message(s)`);
finish(
  a,
  'vnu',
  msgs,
  bad.map((m) => `${m.url?.split('/').pop()}:${m.lastLine} ${m.type}/${m.subType ?? ''} ${m.message}`),
);
