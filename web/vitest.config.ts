import { defineConfig } from 'vitest/config';

// For a machine that has much else to do; no test waits for time to pass.
const testTimeout = 60_000;

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'client', root: 'client', testTimeout, include: ['test/**/*.test.ts'] } },
      {
        ssr: { resolve: { conditions: ['turnout-source', 'module', 'node', 'development|production'] } },
        test: { name: 'yjs', root: 'yjs', testTimeout, include: ['test/**/*.test.ts'] },
      },
      {
        resolve: { conditions: ['turnout-source'] },
        test: { name: 'app', root: 'app', testTimeout, include: ['test/**/*.test.ts', 'test/**/*.test.tsx'], environment: 'happy-dom' },
      },
    ],
  },
});
