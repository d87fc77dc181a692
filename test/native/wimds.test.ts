/** What the program of the images leaves to the script. test/sidecar/probe.test.ts has its probes. */
import { chmodSync, mkdtempDisposableSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileNative, hasNoCompiler } from '../fixtures/native.ts'
import { listening } from '../fixtures/listening.ts'
import { runProgram } from '../fixtures/run-program.ts'

describe.skipIf(hasNoCompiler)('the program', () => {
  const directory = mkdtempDisposableSync(join(tmpdir(), 'wimds-launcher-'))
  const program = join(directory.path, 'wimds')
  const script = join(directory.path, 'script')
  const run = (...args: readonly string[]) => runProgram(program, args)
  beforeAll(() => {
    compileNative('wimds', program, `SCRIPT="${script}"`)
    writeFileSync(script, '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n')
    chmodSync(script, 0o755)
  })
  afterAll(() => directory.remove())

  test.each([
    [],
    ['serve'],
    ['--proxy-port=8000', '--log-level=info'],
    ['probe', '--port=65536'],
    ['probe', '--port='],
    ['probe', '--timeout=99999999999999999999'],
    ['probe', '--help'],
    ['--probe', '--proxy-port=80a'],
    ['--probe', '--log-level=loud'],
    ['--probe=false'],
  ])('runs the script with the arguments %j', async (...args) => {
    expect(await run(...args)).toEqual({
      code: 3,
      stdout: args.length === 0 ? '\n' : `${args.join('\n')}\n`,
      stderr: '',
    })
  })

  test('names a script that it cannot run', async () => {
    const lost = join(directory.path, 'lost')
    compileNative('wimds', lost, 'SCRIPT="/nowhere/wimds.js"')
    expect(await runProgram(lost, ['serve'])).toEqual({
      code: 126,
      stdout: '',
      stderr: 'wimds: /nowhere/wimds.js: No such file or directory\n',
    })
  })

  test.each(['info', 'debug', 'trace', 'all'])(
    'probes as the azure-workload-identity proxy does, with the log level %s',
    async (level) => {
      await using server = await listening(
        createServer((request, response) =>
          response.writeHead(request.url === '/readyz' ? 200 : 404).end(),
        ),
      )
      const flags = [`--proxy-port=${server.port}`, '--probe', `--log-level=${level}`]
      expect(await run(...flags)).toEqual({ code: 0, stdout: '', stderr: '' })
    },
  )
})
