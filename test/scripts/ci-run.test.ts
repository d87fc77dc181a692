/** How `.ci/run` counts, with a stub in place of npm. */
import { spawnSync } from 'node:child_process'
import { mkdtempDisposableSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'

const directory = mkdtempDisposableSync(join(tmpdir(), 'wimds-ci-'))
afterAll(() => directory.remove())

/** Runs stages; `npm` prints its arguments and then `output`. */
function runStages(output: string, stages: readonly string[]) {
  const stub = `#!/bin/sh\necho "npm $*"\necho '${output}'\n`
  writeFileSync(join(directory.path, 'npm'), stub, { mode: 0o755 })
  const { status, stdout } = spawnSync('bash', ['.ci/run', ...stages], {
    encoding: 'utf8',
    env: { PATH: `${directory.path}${delimiter}${process.env['PATH']}`, HOME: directory.path },
  })
  return { status, lines: stdout.trim().split('\n') }
}

describe('.ci/run', () => {
  test.each([
    ['7 passed, 0 failed', 0, '7 passed, 0 failed'],
    ['7 passed, 0 failed, 0 skipped', 0, '7 passed, 0 failed'],
    ['7 passed, 2 failed, 0 skipped', 1, '7 passed, 2 failed'],
    ['no counts', 0, '1 passed, 0 failed'],
  ])('counts %s', (output, expected, closing) => {
    const { status, lines } = runStages(output, ['licences'])
    expect(lines.at(-1)).toBe(closing)
    expect(status).toBe(expected)
    expect(lines.filter((line) => line.startsWith('skipped:'))).toEqual([])
  })

  test('ends with how many tests each stage skipped', () => {
    const { status, lines } = runStages('0 passed, 0 failed, 41 skipped', ['clients', 'licences'])
    expect(lines.slice(-3)).toEqual([
      'skipped: clients (41 of its tests)',
      'skipped: licences (41 of its tests)',
      '0 passed, 0 failed, 82 skipped',
    ])
    expect(status).toBe(0)
  })

  test('builds dist/ once, for the first stage that needs it', () => {
    const { lines } = runStages('', ['licences', 'demo', 'setup', 'demo'])
    expect(lines.filter((line) => line.startsWith('npm '))).toEqual([
      'npm run --silent check:licences',
      'npm run --silent setup',
      'npm exec -- node dist/wimds.js demo',
      'npm exec -- node dist/wimds.js demo',
    ])
  })
})
