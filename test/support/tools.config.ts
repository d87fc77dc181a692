/** The suites that need a tool of the system, or the machine for themselves. Each has a script of its own. */
import { defineConfig, mergeConfig } from 'vitest/config'
import base from '../../vitest.config.ts'

const { test, ...rest } = base

export default mergeConfig(
  { ...rest, test: { ...test, include: [], exclude: [] } },
  defineConfig({
    test: {
      include: ['test/{browser,chart,prometheus,floods}/**/*.test.ts'],
      testTimeout: 110_000,
      fileParallelism: false,
    },
  }),
)
