/** The init container of mode node waits until its pod is served, in a network namespace like a pod's. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { compileNative, hasNoCompiler } from '../fixtures/native.ts'
import { podNetwork, reasonToSkip, type PodNetwork } from '../redirect/namespace.ts'

const UID = '0b7b6f0c-1d39-4a8e-9f2f-3b1f0f4c2a11'
const ENV = { WIMDS_POD_UID: UID, WIMDS_NODE_NAME: 'node-1' }
const reason = hasNoCompiler ? 'there is no compiler' : reasonToSkip()

describe.skipIf(reason !== undefined)('wimds-gate', () => {
  const directory = createFolder()
  const program = directory.file('wimds-gate')
  beforeAll(() => compileNative('gate', program, 'LOG_MS=300'))
  afterAll(() => directory[Symbol.dispose]())

  /** Runs the gate in the pod. */
  function start({ namespacePath }: PodNetwork, env: Readonly<Record<string, string>> = ENV) {
    const gate = spawn('nsenter', [`--net=${namespacePath}`, program], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let log = ''
    gate.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
    return { gate, readLog: () => log, closed: once(gate, 'close') }
  }

  test('waits for its own broker, past everything else', async () => {
    using pod = await podNetwork()
    const { gate, readLog, closed } = start(pod)
    const sees = (text: string) => expect.poll(readLog).toContain(text)
    await sees(`pod ${UID} waits for the node agent of wimds on node-1\n`)
    await sees(
      'another metadata service answers, such as that of the node. Fix: read the event WimdsNotRouted',
    )

    pod.exec('ip', 'address', 'add', '169.254.169.254/32', 'dev', 'lo')
    await sees('169.254.169.254:80: Connection refused. Fix: ')

    const kill = await serve(pod, 200, readyBody(`${UID.slice(0, -1)}2`))
    await sees('another instance of wimds answers')
    await kill()
    expect(gate.exitCode).toBeNull()

    await serve(pod, 503, readyBody(UID))
    await closed
    expect(gate.exitCode).toBe(0)
    expect(readLog()).toMatch(/\nwimds-gate: opened after \d+ ms\n$/)
  })

  test.each([
    ['a longer UID', readyBody(`${UID}0`)],
    ['its UID as another member', JSON.stringify({ pod: UID })],
  ])('does not pass at %s', async (_, body) => {
    using pod = await podNetwork()
    await serve(pod, 200, body)
    const { gate, readLog, closed } = start(pod)
    await expect.poll(readLog).toMatch(/another (?:metadata service|instance of wimds) answers/)
    gate.kill()
    await closed
    expect(gate.exitCode).toBe(128 + 15)
  })

  test('leaves a server that answers without an end', async () => {
    using pod = await podNetwork()
    pod.exec('ip', 'address', 'add', '169.254.169.254/32', 'dev', 'lo')
    const server = pod.script(`
      require('node:net').createServer((socket) => {
        socket.on('error', () => {})
        setInterval(() => socket.write('HTTP/1.1 200 OK\\r\\n'.repeat(1000)), 20)
      }).listen(80, '169.254.169.254', () => console.log('listening'))`)
    await server.firstLine
    const { readLog, closed } = start(pod)
    await expect.poll(readLog).toContain('another metadata service answers')
    server.kill()
    await server.output
    await serve(pod, 200, readyBody(UID))
    await closed
  })
})

/** Makes 169.254.169.254 local, as the redirect does, with a server that answers so. Returns how to end it. */
async function serve(pod: PodNetwork, status: number, body: string) {
  pod.exec('ip', 'address', 'replace', '169.254.169.254/32', 'dev', 'lo')
  const server = pod.script(`
    require('node:http').createServer((request, response) => {
      response.writeHead(request.url === '/readyz' ? ${status} : 404).end(${JSON.stringify(body)})
    }).listen(80, '169.254.169.254', () => console.log('listening'))`)
  await server.firstLine
  return async (): Promise<void> => {
    server.kill()
    await server.output
  }
}

const readyBody = (instanceId: string) => JSON.stringify({ ready: false, instanceId })
