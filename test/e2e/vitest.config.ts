import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const isLast = ({ moduleId }: TestSpecification) => moduleId.endsWith('/nodes.test.ts')

/** The file that ends a node runs last: the other ones expect every node to be ready. */
class NodesLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- it is no array
    const sorted = await super.sort(files)
    return [...sorted.filter((file) => !isLast(file)), ...sorted.filter(isLast)]
  }
}

export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: ['test/e2e/support/global-setup.ts'],
    reporters: ['default', './test/support/counting-reporter.ts'],
    // Pods of one file do not compete with another's for the nodes.
    fileParallelism: false,
    sequence: { sequencer: NodesLast },
    // A test of several upgrades by helm takes a minute on an idle node, and three on a busy one.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
