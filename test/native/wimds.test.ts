/** The program of the images starts the script for all commands but probes. test/sidecar/probe.test.ts tests the probes. */
import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { compileNative, hasNoCompiler } from '../fixtures/native.ts'
import { listening } from '../fixtures/listening.ts'
import { runProgram } from '../fixtures/run-program.ts'

describe.skipIf(hasNoCompiler)('the program', () => {
  const directory = createFolder()
  const program = directory.file('wimds')
  const script = directory.write('script', '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n', 0o755)
  const run = (...args: readonly string[]) => runProgram(program, args)
  beforeAll(() => compileNative('wimds', program, `SCRIPT="${script}"`))
  afterAll(() => directory[Symbol.dispose]())

  test.each([
    [],
    ['--proxy-port=8000', '--log-level=info'],
    ['probe', '--port=65536'],
    ['probe', '--timeout=99999999999999999999'],
    ['probe', '--help'],
    ['--probe', '--proxy-port=80a'],
    ['--probe', '--log-level=loud'],
  ])('runs the script with the arguments %j', async (...args) => {
    expect(await run(...args)).toEqual({
      code: 3,
      stdout: args.length === 0 ? '\n' : `${args.join('\n')}\n`,
      stderr: '',
    })
  })

  test('names a script that it cannot run', async () => {
    const lost = directory.file('lost')
    compileNative('wimds', lost, 'SCRIPT="/nowhere/wimds.js"')
    expect(await runProgram(lost, ['serve'])).toEqual({
      code: 126,
      stdout: '',
      stderr: 'wimds: /nowhere/wimds.js: No such file or directory\n',
    })
  })

  test('probes as the azure-workload-identity proxy does', async () => {
    await using server = await listening(
      createServer((request, response) =>
        response.writeHead(request.url === '/readyz' ? 200 : 404).end(),
      ),
    )
    const flags = [`--proxy-port=${server.port}`, '--probe', '--log-level=debug']
    expect(await run(...flags)).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})
