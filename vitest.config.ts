import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Suites with needs of their own (other toolchains, a browser, a cluster) have scripts of their own.
    exclude: ['test/e2e/**', 'test/clients/matrix/**', 'test/{browser,chart,prometheus,floods}/**'],
    globalSetup: ['./test/support/require-build.ts', './test/support/rsa-keys.ts'],
    setupFiles: './test/support/reuse-rsa-keys.ts',
    reporters: ['default', './test/support/counting-reporter.ts'],
    // Many tests wait for a process or a socket, and Vitest's default leaves a core unused.
    maxWorkers: availableParallelism() + 1,
    // Only what hangs ends by these: on a busy machine a test takes ten times as long.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    restoreMocks: true,
    unstubEnvs: true,
    coverage: { include: ['src/**'], reporter: ['text-summary', 'json-summary'] },
  },
})
