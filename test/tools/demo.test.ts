import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { demo } from '../../src/tools/demo/demo.ts'
import { captureIo } from './capture.ts'

const CLI = fileURLToPath(new URL('../../dist/wimds.js', import.meta.url))

test('the demo explains the first token, the cache, the rotation and the error, and exits with 0', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'demo'], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout).toContain('1 exchange with Entra ID')
  expect(stdout).toContain('token from the cache')
  expect(stdout).toContain('AADSTS700213')
  expect(stdout).toContain('Demo completed')
  expect(stdout).not.toMatch(/eyJ[\w-]{10,}/)
})

test('the demo with --keep prints the URL of the status page and runs until shutdown', async () => {
  const shutdown = new AbortController()
  const io = { ...captureIo(), signal: shutdown.signal }
  const exit = demo(['--keep'], io, { cli: CLI })
  await expect.poll(() => io.out() + io.err()).toMatch(/Commands to try/)
  const page = await fetch(/Status page +(\S+)/.exec(io.out())?.[1] ?? '')
  expect(page.headers.get('content-type')).toContain('text/html')
  shutdown.abort()
  expect(await exit).toBe(0)
})

test.each([
  ['Entra ID is unavailable', { kind: 'unavailable' }],
  ['Entra ID answers without JSON', { kind: 'garbage' }],
  ['the vault answers 401', { kind: 'status', target: 'vault', status: 401 }],
] as const)('the demo exits with 1 and the reason when %s', async (_, fault) => {
  const io = captureIo()
  const code = await demo([], io, { cli: CLI, prepare: ({ faults }) => faults.add(fault) })
  expect(code).toBe(1)
  expect(io.err()).toMatch(/wimds demo: .+/)
})
