import { defineConfig } from 'vitest/config';

// Makes the pictures of the documents; not part of the tests.
export default defineConfig({ test: { include: ['pictures/**/*.test.ts'], fileParallelism: false, testTimeout: 120_000 } });
