import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// A turnout server to develop against.
const server = process.env['TURNOUT_URL'] ?? 'http://localhost:7880';

export default defineConfig({
  plugins: [react()],
  resolve: { conditions: ['turnout-source', 'module', 'browser', 'development|production'] },
  server: { proxy: { '/api': server, '/ws': { target: server, ws: true } } },
  build: {
    target: 'es2022',
    outDir: '../dist', // embedded in the binary by web/embed.go
    emptyOutDir: true,
    modulePreload: { polyfill: false },
  },
});
