/** A broker as the agent sees it, with programs of this test. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import { BrokerProcess } from '../../../src/node/agent/broker-process.ts'
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

const TOO_FAST = 'it sent more than 400 lines or KiB a second'

test('answers that the agent asked for do not count as sent too fast', async () => {
  const { broker, onEnd } = await startProgram(`
    const text = JSON.stringify('x'.repeat(2 * 1024 * 1024))
    onMessage(({ id }) => {
      for (let at = 0; at < text.length; at += 32_768) {
        const part = text.slice(at, at + 32_768)
        send({ type: 'answer', id, text: part, isLast: at + 32_768 >= text.length })
      }
    })
    send({ type: 'ready' })`)
  for (let scrape = 0; scrape < 12; scrape += 1) await broker.ask({ about: 'metrics' })
  expect(onEnd).not.toHaveBeenCalled()
})

test.each([
  ['without end', `{ type: 'answer', id, text: 'x'.repeat(32_768), isLast: false }`],
  [
    'with other fields',
    `{ type: 'answer', id, text: '', isLast: false, more: 'x'.repeat(200_000) }`,
  ],
  ['to no question', `{ type: 'answer', id: 7, text: '', isLast: true }`],
])('a flood of answers %s ends the broker', async (_, answer) => {
  const { broker, onEnd } = await startProgram(`
    onMessage(({ id }) => {
      const flood = () => send(${answer}, flood)
      flood()
    })
    send({ type: 'ready' })`)
  await broker.ask({ about: 'metrics' })
  await vi.waitUntil(() => onEnd.mock.calls.length > 0, { timeout: 60_000 })
  expect(onEnd).toHaveBeenCalledWith(TOO_FAST)
})
