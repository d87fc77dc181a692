/** Closes a run with `N passed, N failed, N skipped`, the line that .ci/run adds up. */
import type { Reporter, TestModule } from 'vitest/node'

export default class CountingReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    )
    const count = (wanted: string) => states.filter((state) => state === wanted).length
    // A file that cannot be loaded has no tests, and is a failure all the same.
    const broken = modules.filter(
      (module) =>
        module.state() === 'failed' && [...module.children.allTests('failed')].length === 0,
    ).length
    process.stdout.write(
      `${count('passed')} passed, ${count('failed') + broken} failed, ${count('skipped')} skipped\n`,
    )
  }
}
