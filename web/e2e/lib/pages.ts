// Pages of the tests' own, made with the real packages of npm and shown as if the server had them.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'vite';

/** Builds ../pages and gives the folder with the result, to be removed by the caller. */
export async function buildPages(): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'turnout-pages-'));
  const root = resolve(import.meta.dirname, '../pages');
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    base: '/pages/',
    resolve: { conditions: ['turnout-source', 'module', 'browser', 'development|production'], dedupe: ['yjs'] },
    build: { outDir, emptyOutDir: true, target: 'es2022', minify: false, rollupOptions: { input: join(root, 'docs.html') } },
  });
  return outDir;
}
