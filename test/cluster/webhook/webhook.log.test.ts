/** The log of `wimds webhook`, in a child process: a log that cannot be written delays no review. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, writeSync } from 'node:fs'
import { type FileHandle, mkdtempDisposable, open } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { startApiServer } from '../../fixtures/api-server.ts'
import { namedPipe } from '../../fixtures/pipe.ts'
import { freePort } from '../../support/free-port.ts'

const CLI = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

/** Sends a malformed review, which is logged, and returns the status of the reply. */
async function sendMalformed(port: number): Promise<number | undefined> {
  const options = { host: '127.0.0.1', port, path: '/mutate', method: 'POST' }
  const sent = request({ ...options, rejectUnauthorized: false, agent: false })
  sent.end('{}')
  const [reply] = await once(sent, 'response')
  await text(reply)
  return reply.statusCode
}

/** Starts the webhook with this standard output. It is stopped with the test. */
async function startWebhook(stdout: number | 'pipe') {
  const stack = new AsyncDisposableStack()
  stack.use(await startApiServer())
  const [port, adminPort] = [await freePort(), await freePort()]
  const listen = [`--listen=127.0.0.1:${port}`, `--admin-listen=127.0.0.1:${adminPort}`]
  const child = spawn(process.execPath, [CLI, 'webhook', ...listen, '--drain=0s'], {
    env: { KUBECONFIG: process.env['KUBECONFIG'] },
    stdio: ['ignore', stdout, 'inherit'],
  })
  const ended = once(child, 'close')
  stack.defer(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const status = (path: string) =>
    fetch(`http://127.0.0.1:${adminPort}${path}`).then((reply) => reply.status, String)
  await expect.poll(() => status('/readyz')).toBe(200)
  return {
    child,
    port,
    isAlive: async () => (await status('/healthz')) === 200,
    ended,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

test('serves while the reader of its log has stalled', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-log-'))
  await using log = await open(
    await namedPipe(join(directory.path, 'log')),
    constants.O_RDWR | constants.O_NONBLOCK,
  )
  fillUp(log)
  await using webhook = await startWebhook(log.fd)
  expect(await sendMalformed(webhook.port)).toBe(400)
})

function fillUp({ fd }: FileHandle): void {
  expect(() => {
    for (;;) writeSync(fd, Buffer.alloc(4096, '\n'))
  }).toThrow('EAGAIN')
}
