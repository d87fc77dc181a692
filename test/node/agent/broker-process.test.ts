/** A broker as the agent sees it, with programs of this test. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { BrokerProcess } from '../../../src/node/agent/broker-process.ts'
import { routedPod } from './pods.ts'
import { CHANNELS, NO_CONNECTION, startScript } from './program.ts'

const OPTIONS = {
  readFile: async () => ({ code: 'ENOENT' }),
  openConnection: NO_CONNECTION,
  onLine: () => {},
}

/** Starts a program until the end of the test. Resolves when it is ready. */
async function startProgram(script: string) {
  const child = startScript(CHANNELS + script)
  const onEnd = vi.fn<(how: string) => void>()
  const ready = Promise.withResolvers<void>()
  const broker = new BrokerProcess(child, {
    ...OPTIONS,
    onReady: () => ready.resolve(),
    onEnd,
  })
  onTestFinished(() => broker.kill('the test has ended'))
  await ready.promise
  return { broker, onEnd }
}

test.each([process.execPath, '/no/program'])(
  'a process without a channel is ended, and none is left (%s)',
  async (program) => {
    const child = spawn(program, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore' })
    const ended = Promise.race([once(child, 'exit'), once(child, 'error')]).catch(() => [])
    const options = { ...OPTIONS, onReady: () => {}, onEnd: () => {} }
    expect(() => new BrokerProcess(child, options)).toThrow('the broker has no channel')
    expect((await ended).at(1) ?? 'not started').toMatch(/SIGKILL|not started/)
  },
)

test('serves no pod whose signal has aborted', async () => {
  const { broker } = await startProgram(`onMessage(() => {}); send({ type: 'ready' })`)
  const server = createServer()
  const pod = routedPod()
  const route = { namespace: 1, path: '', socket: server, env: pod.env }
  const request = { pod, route, findKeys: () => [], isSuspect: false, onAnswer: () => {} }
  await expect(broker.serve(request, AbortSignal.abort())).resolves.toBeUndefined()
})

test('asks once a second at most, and not again before an answer', async () => {
  const { broker } = await startProgram(`
    let asked = 0
    onMessage(({ id, question: { about } }) => {
      if (about !== 'keys') send({ type: 'answer', id, answer: (asked += 1) })
    })
    send({ type: 'ready' })`)
  const ask = () => broker.ask({ about: 'metrics' })
  expect([await ask(), await ask()]).toEqual([1, 1])
  await vi.waitUntil(async () => (await ask()) === 2, { timeout: 60_000 })
  expect(await broker.ask({ about: 'keys' })).toBeUndefined()
  expect(await broker.ask({ about: 'pods' })).toBe(3)
})
