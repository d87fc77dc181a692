import { describe, expect, test } from 'vitest'
import { formatCrash } from '../../src/cli/crash.ts'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

const ASSERTION = `eyJhbGciOiJSUzI1NiJ9.${'c3ViamVjdA'.repeat(8)}.c2lnbmF0dXJl`
const PASSWORD = 'correct-horse'

/** A failure as an HTTP client may throw it: with the request that it failed at. */
const FAILURE = `Object.assign(
  new Error('POST /token failed: client_assertion=${ASSERTION}', {
    cause: Object.assign(new TypeError('Invalid URL'), {
      input: 'http://user:${PASSWORD}@proxy', cause: new Error('${ASSERTION}') }) }),
  { body: 'client_assertion=${ASSERTION}', headers: { authorization: 'Basic ${PASSWORD}' } })`

/** Runs a command in a process with an unhandled error. */
async function crashed(command: string, failing: string) {
  using directory = createFolder()
  // In a file: the stack names its module, which would otherwise hold the secrets.
  const preload = directory.write('preload.mjs', failing)
  return await runNode(['--import', preload, 'src/cli.ts', command])
}

test.each([
  ['an error is thrown', 'simulate', `setImmediate(() => { throw ${FAILURE} })`],
  ['a rejection is not handled', 'simulate', `setImmediate(() => { Promise.reject(${FAILURE}) })`],
  ['its command fails', 'version', `process.stdout.write = () => { throw ${FAILURE} }`],
])('logs one line without a secret when %s', async (_, command, failing) => {
  const { code, stdout, stderr } = await crashed(command, failing)
  expect(code).toBe(1)
  for (const output of [stdout, stderr]) {
    expect(output).not.toContain(PASSWORD)
    expect(output).not.toMatch(/eyJ|c3ViamVjdA/)
  }
  const said: Record<string, unknown> = JSON.parse(stderr)
  expect(said).toMatchObject({ event: 'crashed', level: 'fatal' })
  expect(said['stack']).toMatch(/^Error: POST \/token failed: .*\[redacted\]\n +at /)
  expect(said['causes']).toHaveLength(2)
})

describe('formatCrash', () => {
  const NOW = new Date(0)

  test.each([[undefined], ['eyJhbGciOiJSUzI1NiJ9.e30'], [{ token: ASSERTION }]])(
    'describes %j by its type alone',
    (thrown) => {
      const said: unknown = JSON.parse(formatCrash(thrown, NOW))
      expect(said).toMatchObject({ stack: `a thrown ${typeof thrown}` })
    },
  )

  test('ends at a cause that is its own', () => {
    const error = new Error('a ring')
    error.cause = error
    expect(formatCrash(error, NOW).split('\n')).toHaveLength(2)
  })

  test('gives the name of an error whose stack is no text', () => {
    const error = Object.assign(new RangeError('x'), { stack: { token: ASSERTION } })
    expect(JSON.parse(formatCrash(error, NOW))).toMatchObject({ stack: 'RangeError' })
  })
})
