// Fails when the client or the first load of the app has grown beyond its budget. Run after `npm run build`.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const packed = (path) => gzipSync(readFileSync(path), { level: 9 }).length;
const html = readFileSync('dist/index.html', 'utf8');
const first = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, path]) => `dist/${path}`);
const budgets = [
  { name: '@turnout/client', limit: 35_000, bytes: packed('client/dist/index.js') },
  { name: '@turnout/yjs', limit: 6_000, bytes: packed('yjs/dist/index.js') },
  { name: 'app, first load', limit: 130_000, bytes: ['dist/index.html', ...first].reduce((sum, path) => sum + packed(path), 0) },
];
if (first.length === 0 || readdirSync('dist/assets').length === 0) throw new Error('no assets in dist/index.html: npm run build first');
for (const { name, limit, bytes } of budgets) {
  console.log(`${bytes <= limit ? 'ok  ' : 'OVER'} ${name}: ${(bytes / 1000).toFixed(1)} of ${limit / 1000} kB gzip`);
  if (bytes > limit) process.exitCode = 1;
}
