/** Starts the broker of mode node and opens its socket, as the agent of a node does for a pod. Works only in a sandbox. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PodAnswer } from '../../../src/node/agent/broker-pods.ts'
import { createConnections } from '../../../src/node/agent/connections.ts'
import { NamespaceBroker } from '../../../src/node/agent/namespace-broker.ts'
import { openSocket } from '../../../src/node/agent/open-socket.ts'
import { createSteps } from '../../../src/redirect/apply.ts'
import { compileNative } from '../../fixtures/native.ts'
import { BUILT_CLI } from '../../fixtures/run-program.ts'

/** A child process that answers clients. */
export interface RunningServer extends AsyncDisposable {
  readonly hasEnded: () => boolean
  /** Returns the output so far. */
  readonly output: () => string
}

interface BrokerOptions {
  /** A folder for the compiled helper. */
  readonly directory: string
  /** The port on 127.0.0.1 to which 169.254.169.254:80 is redirected. */
  readonly port: number
  /** The settings of the broker, and of the gate of its pod. */
  readonly env: Readonly<Record<string, string>>
}

/** Serves one pod, whose network is the network of this process. */
export async function startBroker({ directory, port, env }: BrokerOptions): Promise<RunningServer> {
  const helper = join(directory, 'wimds-node')
  compileNative('wimds-node', helper)
  process.env['PATH'] = `${directory}:${process.env['PATH']}`
  const serving = new AbortController()
  const { signal } = serving
  const namespace = openSync('/proc/self/ns/net', 'r')
  const settings = { mode: 'loopback', port, exemptUid: undefined } as const
  const steps = createSteps(settings, 'apply and await')
  const tools = { path: process.env['PATH'], signal }
  const socket = await openSocket({ namespace, port, listens: true, steps, ...tools })
  closeSync(namespace)
  let log = ''
  let hasEnded = false
  const broker = new NamespaceBroker({
    start: () => spawnBroker(env),
    write: (line) => (log += line),
    onDroppedLine: () => {},
    limitStarts: (work) => work(),
    createOpen: createConnections(env),
    readFile: async (_, path) => ({ text: await readFile(path, 'utf8') }),
    onEnd: () => (hasEnded = true),
  })
  const pod = {
    uid: crypto.randomUUID(),
    namespace: 'shop',
    name: 'client',
    serviceAccount: 'orders',
    hasAddress: true,
    isEnding: false,
    port,
    env: { ...env },
    mounts: [],
  }
  const request = {
    pod,
    route: { namespace: 1, path: '', socket, env: pod.env },
    findKeys: () => undefined,
    onAnswer: (answer: PodAnswer) => (log += String(answer)),
  }
  broker.serve(request, signal).catch((error: unknown) => (log += String(error)))
  return {
    hasEnded: () => hasEnded,
    output: () => log,
    [Symbol.asyncDispose]: () => {
      serving.abort()
      return broker.stop()
    },
  }
}

function spawnBroker(env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(process.execPath, [BUILT_CLI, 'node-broker'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
  })
}
