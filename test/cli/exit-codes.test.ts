import { expect, test } from 'vitest'
import { pathToFileURL } from 'node:url'
import { exitWithError, isNotInstalled } from '../../src/cli/exit-codes.ts'
import { ConfigError, UsageError } from '../../src/lib/errors.ts'
import { runNode } from '../fixtures/run-program.ts'
import { createFolder } from '../fixtures/folder.ts'
import { captureIo } from '../tools/capture.ts'

/** Returns an error with the code and URL that Node gives for a missing module. */
async function missing(specifier: string, importer = 'main.mjs'): Promise<Error> {
  using folder = createFolder()
  const file = folder.write(importer, `await import('${specifier}')`)
  const script = `import('${pathToFileURL(file).href}').catch(({ code, url }) => console.log(JSON.stringify({ code, url })))`
  const { stdout } = await runNode(['--eval', script])
  return Object.assign(new Error('Cannot find it'), JSON.parse(stdout))
}

test.each(['./tools/inject/inject.mjs', './pod-check-CJVVOW4W.mjs'])(
  'the missing module %s of a command is not installed',
  async (specifier) => {
    expect(isNotInstalled(await missing(specifier))).toBe(true)
    expect(isNotInstalled(await missing(specifier, 'node_modules/wimds/main.mjs'))).toBe(true)
  },
)

test.each(['fastify', './chunk-2AEIGYT4.mjs', './node_modules/fastify/fastify.js'])(
  'the missing dependency %s is an error of the program',
  async (specifier) => {
    const error = await missing(specifier)
    expect(error).toMatchObject({ code: 'ERR_MODULE_NOT_FOUND' })
    expect(isNotInstalled(error)).toBe(false)
    expect(() => exitWithError(process, 'wimds serve', error)).toThrow(error)
  },
)

test.each([
  [
    new UsageError(['--port must be a number']),
    'wimds x: --port must be a number\n\nSee wimds x --help.\n',
  ],
  [new ConfigError({ problem: 'no tenant', fix: 'set it' }), 'wimds x: no tenant. Fix: set it\n'],
])('%s ends a command with 64', (error, printed) => {
  const io = captureIo()
  expect(exitWithError(io, 'wimds x', error)).toBe(64)
  expect(io.err()).toBe(printed)
})
