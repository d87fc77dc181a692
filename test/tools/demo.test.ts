import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { demo } from '../../src/tools/demo/demo.ts'
import { captureIo } from './capture.ts'

const CLI = fileURLToPath(new URL('../../dist/wimds.js', import.meta.url))

test('the demo explains each step, and with --keep runs until shutdown', async () => {
  const shutdown = new AbortController()
  const io = { ...captureIo(), signal: shutdown.signal }
  const exit = demo(['--keep'], io, { cli: CLI })
  await expect.poll(() => io.out() + io.err()).toMatch(/Commands to try/)
  for (const text of ['1 exchange with Entra ID', 'token from the cache', 'AADSTS700213']) {
    expect(io.out()).toContain(text)
  }
  expect(io.out()).toContain('Demo completed')
  expect(io.out()).toMatch(/\nNext, [^]*wimds doctor --pre\n/)
  const [, ...fourth] = /\n4\. ([^]+?)\n\nDemo completed/.exec(io.out())?.[1]?.split('\n') ?? []
  expect(fourth).toEqual([
    expect.stringMatching(/^ {3}It gets no token/),
    expect.stringMatching(/^ {3}→ 503: AADSTS700213: .*'system:serviceaccount:shop:orders'$/),
    expect.stringMatching(/^ {5}Fix: create a federated credential .*orders$/),
  ])
  expect(io.out() + io.err()).not.toMatch(/eyJ[\w-]{10,}/)
  const page = await fetch(/Status page +(\S+)/.exec(io.out())?.[1] ?? '')
  expect(page.headers.get('content-type')).toContain('text/html')
  shutdown.abort()
  expect({ code: await exit, err: io.err() }).toEqual({ code: 0, err: '' })
})

test('the demo exits with 1 and the error of the application when the vault answers 401', async () => {
  const io = captureIo()
  const body = JSON.stringify({ access_token: 'a.b.c', token_type: 'Bearer', expires_in: 3600 })
  const fault = { kind: 'status', status: 200, body, contentType: 'application/json' } as const
  const code = await demo([], io, { cli: CLI, prepare: ({ faults }) => faults.add(fault) })
  expect(code).toBe(1)
  expect(io.err()).toMatch(/^wimds demo: the application failed: Error: the vault answered 401$/m)
})
