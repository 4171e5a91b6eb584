// Fails when the client or the first load of the app has grown beyond its budget. Run after `npm run build`.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const packed = (path) => gzipSync(readFileSync(path), { level: 9 }).length;
const html = readFileSync('dist/index.html', 'utf8');
const first = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, path]) => `dist/${path}`);
// Loaded when the notes are opened: the editor, Yjs, what keeps a copy in the browser.
const notes = readdirSync('dist/assets').filter((name) => /^Notes-.*\.(js|css)$/.test(name));
const budgets = [
  { name: '@turnout/client', limit: 35_000, bytes: packed('client/dist/index.js') },
  { name: '@turnout/yjs', limit: 6_000, bytes: packed('yjs/dist/index.js') },
  { name: 'app, first load', limit: 130_000, bytes: ['dist/index.html', ...first].reduce((sum, path) => sum + packed(path), 0) },
  { name: 'app, notes', limit: 160_000, bytes: notes.reduce((sum, name) => sum + packed(`dist/assets/${name}`), 0) },
];
if (notes.length === 0) throw new Error('the notes are no chunk of their own');
if (first.length === 0 || readdirSync('dist/assets').length === 0) throw new Error('no assets in dist/index.html: npm run build first');
for (const { name, limit, bytes } of budgets) {
  console.log(`${bytes <= limit ? 'ok  ' : 'OVER'} ${name}: ${(bytes / 1000).toFixed(1)} of ${limit / 1000} kB gzip`);
  if (bytes > limit) process.exitCode = 1;
}
