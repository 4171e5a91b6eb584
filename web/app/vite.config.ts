import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// A turnout server to develop against.
const server = process.env['TURNOUT_URL'] ?? 'http://localhost:7880';

export default defineConfig({
  plugins: [react()],
  resolve: { conditions: ['turnout-source', 'module', 'browser', 'development|production'], dedupe: ['yjs'] },
  server: { proxy: { '/api': server, '/ws': { target: server, ws: true } } },
  build: {
    target: 'es2022',
    // The first with light-dark(), which is to follow the color-scheme of a part of the page and not be compiled away.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    outDir: '../dist', // embedded in the binary by web/embed.go
    emptyOutDir: true,
    modulePreload: { polyfill: false },
  },
});
