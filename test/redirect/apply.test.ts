import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { redirect } from '../../src/sidecar/redirect.ts'
import { captureIo } from '../tools/capture.ts'
import { freePort } from '../support/free-port.ts'
import { podNetwork, reasonToSkip, type PodNetwork } from './namespace.ts'

const reason = reasonToSkip()
if (reason !== undefined) process.stderr.write(`skipped test/redirect: ${reason}\n`)

/** Runs `wimds redirect` against the pod's namespace and expects it to succeed. */
async function run(pod: PodNetwork, ...args: string[]): Promise<string> {
  const io = captureIo({ PATH: pod.path })
  const code = await redirect(args, io)
  expect({ code, stderr: io.err() }).toEqual({ code: 0, stderr: '' })
  return io.out()
}

/**
 * Serves and redirects, a second time after another port, which changes nothing. The test's own process waits for the port, so it
 * listens there too.
 */
async function runAndWait(pod: PodNetwork) {
  const port = await freePort()
  await using listener = createServer().listen(port, '127.0.0.1')
  await once(listener, 'listening')
  const kill = await pod.serve('127.0.0.1', port, 'sidecar')
  const flags = ['--port', `${port}`, '--wait', '60']
  await run(pod, ...flags)
  const state = stateOf(pod)
  await run(pod, '--port', '8123')
  await run(pod, ...flags)
  expect(stateOf(pod)).toBe(state)
  return { port, kill }
}

/** A client that sends requests on one connection. */
const KEEP_ALIVE_CLIENT = `
  const socket = require('node:net').connect(80, '169.254.169.254')
  const ask = () => socket.write('GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
  socket.on('data', (data) => console.log(String(data).split('\\n').at(-1)))
  socket.on('error', (error) => { console.log(error.code); process.exit() })
  socket.on('close', () => { console.log('closed'); process.exit() })
  ask()
  setInterval(ask, 100)
  setTimeout(() => process.exit(), 60_000)`

/** Prints when it connects, and then the answer or the error. */
const NEW_CONNECTION = `
  console.log('connecting')
  require('node:http').get('http://169.254.169.254/', (response) => {
    response.on('data', (data) => console.log(String(data)))
  }).on('error', (error) => console.log(error.code))`

/** Returns the error with which a connection fails. */
const connectTo = async (pod: PodNetwork, port: number, host: string) =>
  await pod.script(
    `require('node:net').connect(${port}, '${host}').on('error', ({ code }) => console.log(code))`,
  ).output

/** Resolves when a connection to the metadata address waits for the answer to its SYN (state 02). */
async function waitForSyn(pod: PodNetwork): Promise<void> {
  const isWaiting = () => pod.exec('cat', '/proc/net/tcp').includes(' FEA9FEA9:0050 02 ')
  await vi.waitUntil(isWaiting, { timeout: 60_000 })
}

/** Enables connection tracking, without which earlier connections count as new. */
const TRACKING =
  'table ip other { chain c { type filter hook output priority 0; ct state established counter; }; }'

describe.skipIf(reason !== undefined)('wimds redirect in a network namespace', () => {
  test.each(['loopback', 'nft'])(
    'mode %s redirects the metadata address to the sidecar, and resets an earlier connection',
    async (mode) => {
      using pod = await podNetwork()
      await pod.serve('127.0.0.1', 8123, 'sidecar')
      pod.exec('nft', TRACKING)
      const client = pod.script(KEEP_ALIVE_CLIENT)
      expect(await client.firstLine).toBe('real imds')

      const output = await run(pod, '--mode', mode, '--port', '8123')
      expect(output).toContain('redirected to 127.0.0.1:8123')

      expect((await client.output).split('\n').at(-1)).toBe('ECONNRESET')
      expect(pod.fetchMetadata()).toBe('sidecar')
      expect(pod.fetchMetadata(1501)).toBe('sidecar')
    },
  )

  test('a pod with IPv6 only can have mode loopback, and mode nft fails with that advice', async () => {
    using pod = await podNetwork()
    pod.exec('ip', '-4', 'address', 'flush', 'dev', 'eth0')
    const io = captureIo({ PATH: pod.path })
    expect(await redirect(['--mode', 'nft'], io)).toBe(1)
    expect(io.err()).toMatch(/Network is unreachable .* Fix: choose mode loopback/)
    await pod.serve('127.0.0.1', 64169, 'sidecar')
    await run(pod)
    expect(pod.fetchMetadata()).toBe('sidecar')
  })

  test('an app can listen on 0.0.0.0:80 in loopback mode, before and after', async () => {
    using pod = await podNetwork()
    await pod.serve('127.0.0.1', 64169, 'sidecar')
    await run(pod)
    await pod.serve('0.0.0.0', 80, 'app')
    expect(pod.fetchMetadata()).toBe('sidecar')
    expect(pod.exec('curl', '-s', '-m', '10', 'http://127.0.0.1/')).toBe('app')
    expect(pod.exec('curl', '-s', '-m', '10', 'http://10.9.0.2/')).toBe('app')
  })

  test('with pass-through only the sidecar’s uid reaches the node’s IMDS', async () => {
    using pod = await podNetwork()
    await pod.serve('127.0.0.1', 64169, 'sidecar')
    pod.exec('nft', TRACKING)
    const client = pod.script(KEEP_ALIVE_CLIENT)
    expect(await client.firstLine).toBe('real imds')
    await run(pod, '--mode', 'nft', '--pass-through', '--uid', '1777')
    expect((await client.output).split('\n').at(-1)).toBe('ECONNRESET')
    expect(pod.fetchMetadata(1777)).toBe('real imds')
    expect(pod.fetchMetadata(1501)).toBe('sidecar')
    expect(pod.fetchMetadata(0)).toBe('sidecar')
  })

  test('no neighbour reaches the pod by the address in mode loopback', async () => {
    using pod = await podNetwork()
    pod.neighbour('ip', 'address', 'flush', 'to', '169.254.169.254/32')
    pod.neighbour('ip', 'route', 'add', '169.254.169.254/32', 'dev', 'eth0')
    await pod.serve('127.0.0.1', 64169, 'sidecar')
    await pod.serve('0.0.0.0', 80, 'a service that is no metadata service')
    await run(pod)
    expect(pod.fetchMetadata()).toBe('sidecar')

    const ask = () => pod.neighbour('curl', '-s', '-m', '10', 'http://169.254.169.254/')
    expect(ask).toThrow(/./)
    expect(pod.neighbour('ip', 'neighbour')).toContain('169.254.169.254 dev eth0 FAILED')
    // The pod does not take packets for the address either.
    const [link] = JSON.parse(pod.exec('ip', '-json', 'link', 'show', 'dev', 'eth0'))
    const permanent = ['lladdr', link.address, 'dev', 'eth0']
    pod.neighbour('ip', 'neighbour', 'replace', '169.254.169.254', ...permanent)
    expect(() => pod.neighbour('curl', '-s', '-m', '2', 'http://169.254.169.254/')).toThrow(/./)
  })

  test('loopback mode redirects a pod that has the address itself', async () => {
    using pod = await podNetwork()
    pod.exec('ip', 'address', 'add', '169.254.169.254/32', 'dev', 'lo')
    await pod.serve('127.0.0.1', 64169, 'sidecar')
    await run(pod)
    expect(pod.fetchMetadata()).toBe('sidecar')
  })

  test('loopback mode refuses the other ports of the address, and keeps the node’s IMDS out of reach even without its rules', async () => {
    using pod = await podNetwork()
    await run(pod)
    expect(await connectTo(pod, 81, '169.254.169.254')).toBe('ECONNREFUSED')
    pod.exec('nft', 'flush', 'ruleset')
    expect(pod.exec('ip', 'route', 'get', '169.254.169.254')).toContain(' dev lo ')
  })

  test('the redirect precedes the redirect of a mesh', async () => {
    using pod = await podNetwork()
    await pod.serve('127.0.0.1', 64169, 'sidecar')
    await pod.serve('127.0.0.1', 15001, 'mesh')
    const mesh =
      'table ip mesh { chain c { type nat hook output priority -100; ip protocol tcp redirect to :15001; }; }'
    pod.exec('nft', mesh)
    expect(pod.fetchMetadata()).toBe('mesh')
    await run(pod)
    expect(pod.fetchMetadata()).toBe('sidecar')
  })

  describe('with --wait', () => {
    test('a new connection waits while the sidecar restarts', async () => {
      using pod = await podNetwork()
      const { port, kill } = await runAndWait(pod)
      await kill()
      const client = pod.script(NEW_CONNECTION)
      expect(await client.firstLine).toBe('connecting')
      await waitForSyn(pod)
      // Nor does another program's caller wait.
      expect(await connectTo(pod, 9, '127.0.0.1')).toBe('ECONNREFUSED')
      await pod.serve('127.0.0.1', port, 'restarted')
      expect((await client.output).split('\n').at(-1)).toBe('restarted')
    })

    test('an established connection still breaks at once', async () => {
      using pod = await podNetwork()
      const { kill } = await runAndWait(pod)
      const client = pod.script(KEEP_ALIVE_CLIENT)
      expect(await client.firstLine).toBe('sidecar')
      await kill()
      expect((await client.output).split('\n').at(-1)).toMatch(/^(closed|ECONNRESET|EPIPE)$/)
    })
  })

  test('--undo removes its own rules alone, and succeeds twice', async () => {
    using pod = await podNetwork()
    pod.exec('nft', 'table ip mesh { }')
    const before = stateOf(pod)
    await run(pod)
    await run(pod, '--undo')
    expect(stateOf(pod)).toBe(before)
    await run(pod, '--undo')
    expect(pod.fetchMetadata()).toBe('real imds')
  })
})

/** Returns its rules and routes. */
function stateOf(pod: PodNetwork): string {
  return pod.exec('nft', 'list', 'ruleset') + pod.exec('ip', 'route', 'show', 'table', 'all')
}
