import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Suites with needs of their own (other toolchains, a browser, a cluster) have scripts of their own.
    exclude: ['test/e2e/**', 'test/clients/matrix/**', 'test/{browser,chart,prometheus,floods}/**'],
    reporters: ['default', './test/support/counting-reporter.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    restoreMocks: true,
    coverage: { include: ['src/**'], reporter: ['text-summary', 'json-summary'] },
  },
})
