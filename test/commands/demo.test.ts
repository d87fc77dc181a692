import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { demo } from '../../src/commands/demo/demo.ts'
import { captureIo } from './capture.ts'

const CLI = fileURLToPath(new URL('../../dist/wimds.js', import.meta.url))

test('the demo tells of the first token, the cache, the rotation and the refusal, and exits 0', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'demo'], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout).toContain('by 1 exchange with Entra ID')
  expect(stdout).toContain('served from cache')
  expect(stdout).toContain('AADSTS700213')
  expect(stdout).not.toMatch(/eyJ[\w-]{10,}/)
})

test.each([
  ['Entra ID is down', { kind: 'unavailable' }],
  ['Entra ID answers garbage', { kind: 'garbage' }],
  ['the vault refuses', { kind: 'status', target: 'vault', status: 401 }],
] as const)('the demo fails, and says why, when %s', async (_, fault) => {
  const io = captureIo()
  const code = await demo([], io, { cli: CLI, prepare: ({ faults }) => faults.add(fault) })
  expect(code).toBe(1)
  expect(io.err()).toMatch(/wimds demo: .+/)
})
