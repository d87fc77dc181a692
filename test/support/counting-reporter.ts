/** Closes a run with the reasons of skipped tests, and `N passed, N failed, N skipped`, the line that .ci/run adds up. */
import type { Reporter, TestModule } from 'vitest/node'

export default class CountingReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const results = tests.map((test) => ({ test, result: test.result() }))
    const count = (wanted: string) => results.filter(({ result }) => result.state === wanted).length
    for (const { test, result } of results) {
      if (result.state === 'skipped' && result.note !== undefined) {
        process.stdout.write(`skipped: ${test.fullName}: ${result.note}\n`)
      }
    }
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
