/** The command in this process, with an API server of this test. It has no pods to route. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { nodeAgent } from '../../../src/node/agent/node-agent.ts'
import { createFolder } from '../../fixtures/folder.ts'
import { answer, startApiServer } from '../../fixtures/api-server.ts'
import { listening } from '../../fixtures/listening.ts'
import { freePort } from '../../support/free-port.ts'
import { parseSamples } from '../../service/scraped.ts'
import { captureIo } from '../../tools/capture.ts'

const LIST = 'GET /api/v1/pods'

const CLI = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))
/** In the place of `wimds-node`: starts the broker with the rights of this test. */
const RUN_BROKER = `#!/bin/sh\nexec ${process.execPath} --no-warnings ${CLI} node-broker\n`

/** Starts the agent until the end of the test, and returns how to call its admin port. */
async function startAgent(helper = RUN_BROKER) {
  const shutdown = new AbortController()
  const root = createFolder()
  mkdirSync(root.file('run'))
  writeFileSync(root.file('wimds-node'), helper, { mode: 0o755 })
  // The rules of brokers are not for the network of the machine.
  writeFileSync(root.file('nft'), '#!/bin/sh\n', { mode: 0o755 })
  const env = { PATH: `${root.path}:${process.env['PATH']}` }
  const io = { ...captureIo(env), signal: shutdown.signal }
  const port = await freePort()
  const flags = [
    '--node-name=node-1',
    `--admin-listen=127.0.0.1:${port}`,
    `--host-root=${root.path}`,
  ]
  const ended = nodeAgent(flags, io)
  onTestFinished(async () => {
    shutdown.abort()
    expect(await ended).toBe(0)
    root[Symbol.dispose]()
  })
  const call = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  return {
    text: async (path: string) => (await call(path)).text(),
    status: async (path: string) => (await call(path)).status,
    sample: async (name: string) => parseSamples(await (await call('/metrics')).text()).get(name),
    log: io.out,
  }
}

test('says when it cannot read the pods of its node; is not ready before it has, and alive and ready ever after', async () => {
  let isAway = true
  let watch: ServerResponse | undefined
  await using _ = await startApiServer({
    [LIST]: (response) =>
      isAway
        ? answer(response, 503, {})
        : answer(response, 200, { metadata: { resourceVersion: '7' }, items: [] }),
    [`${LIST}?watch`]: (response) => {
      response.writeHead(200).flushHeaders()
      watch = response
    },
  })
  const { sample, status, log } = await startAgent()
  const reaches = (value: number) =>
    vi.waitFor(async () => expect(await sample('wimds_node_agent_synced')).toBe(value), {
      timeout: 60_000,
    })
  await vi.waitFor(() => expect(log()).toContain('list the pods'), { timeout: 60_000 })
  expect([await status('/healthz'), await status('/readyz')]).toEqual([200, 503])
  isAway = false
  await reaches(1)
  await expect.poll(() => status('/readyz'), { timeout: 60_000 }).toBe(200)
  isAway = true
  watch?.destroy()
  await reaches(0)
  expect([await status('/healthz'), await status('/readyz')]).toEqual([200, 200])
})

test('is not ready while no broker can start, and logs why', async () => {
  await using _ = await startApiServer({
    [LIST]: (response) => answer(response, 200, { metadata: { resourceVersion: '7' }, items: [] }),
  })
  const { text, log } = await startAgent('#!/bin/sh\nexit 9\n')
  await vi.waitFor(() => expect(log()).toContain('"broker_ended"'), { timeout: 60_000 })
  expect(log()).toContain('the broker of the node does not run: it has ended with 9')
  expect(JSON.parse(await text('/readyz'))).toEqual({
    ready: false,
    reasons: [expect.stringContaining('no broker runs: the broker of the node does not run')],
  })
})

test('exits when its port is taken', async () => {
  await using _ = await startApiServer()
  await using taken = await listening(createServer())
  const io = captureIo()
  const flags = ['--node-name=node-1', `--admin-listen=127.0.0.1:${taken.port}`]
  expect(await nodeAgent(flags, io)).toBe(1)
  expect(io.out()).toMatch(
    /"event":"listen_failed".*EADDRINUSE.*Fix: choose another port by --admin-listen/,
  )
})
