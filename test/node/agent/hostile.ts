/** A node with a pod that asks for tokens all the time, and pods of other namespaces whose brokers native code has taken over. */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { ignoreEnded } from '../../../src/node/agent/sandboxes.ts'
import { ORDERS, TENANT_ID } from '../../../src/tools/simulator/defaults.ts'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { waitFor } from '../../fixtures/connection.ts'
import { podNetwork } from '../../redirect/namespace.ts'
import { nodeModePod, TOKEN_DIRECTORY } from './pods.ts'
import { startAgent, startApi, TestNode } from './test-node.ts'

interface HostileNodeOptions {
  /** The program of attacks.c. */
  readonly program: string
  /** The program that starts the agent. Its last arguments are the agent's command line. */
  readonly launcher?: readonly string[]
}

/** New tokens that the neighbour can ask for. */
const RESOURCES = Array.from({ length: 20_000 }, (_, number) => `https://r${number}.example.net`)

/** Asks for a token that is cached, and each tenth time for a new one. Prints whether it is new, what came, and after how many ms. */
const CALLER = `
  const { get } = require('node:http')
  const path = '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://r'
  const ask = (number) => new Promise((resolve) => {
    const options = { host: '169.254.169.254', path: path + number + '.example.net', headers: { Metadata: 'true' }, timeout: 120_000 }
    get(options, (response) => response.resume().on('end', () => resolve(response.statusCode)))
      .on('timeout', function () { this.destroy(new Error('timeout')) })
      .on('error', ({ message }) => resolve(message))
  })
  let count = FIRST
  async function next() {
    const isNew = (count += 1) % 10 === 0
    const start = performance.now()
    const result = await ask(isNew ? count : 0)
    console.log(JSON.stringify({ isNew, result, ms: performance.now() - start }))
    setTimeout(next, 10)
  }
  ask(0).then(next)`
/** More than one caller asks for. */
const CALLS = 1000
const Call = z.object({ isNew: z.boolean(), result: z.unknown(), ms: z.number() })

/** Opens connections to the broker of its pod, and sends more than is read. */
const FLOOD = `
  const { connect } = require('node:net')
  const data = Buffer.alloc(8 << 20)
  let count = 0
  const open = () => {
    connect(64169, '127.0.0.1').on('error', () => {}).write(data)
    if ((count += 1) < 400) setTimeout(open, 2)
  }
  console.log('begins')
  open()`

/** The attacks that need connections of the pod. */
const WITH_FLOOD: ReadonlySet<string> = new Set(['connections', 'network'])

export type HostileNode = Awaited<ReturnType<typeof startHostileNode>>

/** Starts it. The pod of the namespace `shop` is served. */
export async function startHostileNode({ program, launcher = [] }: HostileNodeOptions) {
  await using cleanup = new AsyncDisposableStack()
  const simulator = await createSimulator({
    directory: {
      applications: [
        { ...ORDERS, federatedCredentials: [{ subject: 'system:serviceaccount:shop:orders' }] },
      ],
      resources: [{ appId: '77777777-7777-4777-8777-777777777777', identifiers: RESOURCES }],
    },
  })
  cleanup.defer(() => simulator.close())
  const node = cleanup.use(new TestNode())
  // The program that replaces the next broker; without it the broker runs.
  const attack = join(node.root, 'attack')
  node.replaceBroker(attack, `${program} $(cat ${attack})`)

  /** Creates the pod of a namespace, by which it is named, and what the node keeps of it. */
  async function createPod(namespace: string, address: string) {
    const network = await podNetwork(address)
    const token = await simulator.issuer.sign({ namespace, serviceAccount: 'orders' })
    node.writeToken(namespace, token.reveal())
    node.keep(network, namespace)
    const settings = {
      AZURE_TENANT_ID: TENANT_ID,
      AZURE_CLIENT_ID: ORDERS.clientId,
      AZURE_AUTHORITY_HOST: simulator.authorityHost,
      AZURE_FEDERATED_TOKEN_FILE: `${TOKEN_DIRECTORY}/token`,
    }
    const pod = nodeModePod({ uid: namespace, namespace, settings, addresses: [address] })
    return { network, pod, [Symbol.dispose]: () => network[Symbol.dispose]() }
  }

  const neighbour = cleanup.use(await createPod('shop', '10.9.0.2'))
  const api = cleanup.use(await startApi(neighbour.pod))
  const agent = cleanup.use(
    startAgent(node, {
      simulator,
      // An emulated processor is slow.
      env: { WIMDS_EXCHANGE_TIMEOUT: '60s' },
      launcher,
    }),
  )
  await agent.logged('pod_routed')
  const brokers = findProcesses(agent.pid, 'node-broker')
  let callers = 0
  let pods = 10

  /** Lets the neighbour ask for as long as `run` takes. Returns its result, and how the neighbour and its broker did. */
  async function watchNeighbour<T>(run: () => Promise<T>) {
    const caller = neighbour.network.script(CALLER.replace('FIRST', `${(callers += 1) * CALLS}`))
    await caller.firstLine
    const result = await run()
    caller.kill()
    const calls = parseCalls(await caller.output)
    const timesOf = (isNew: boolean) => calls.filter((call) => call.isNew === isNew)
    return {
      result,
      calls: calls.length,
      p99Ms: { cached: findP99(timesOf(false)), new: findP99(timesOf(true)) },
      failed: calls.filter((call) => call.result !== 200),
      areBrokersSame: brokers.every((pid) => findProcesses(agent.pid, 'node-broker').includes(pid)),
    }
  }

  /** Runs `meanwhile` when an attack in the broker of a namespace is over, or the kernel has ended it. */
  async function attackIn(namespace: string, name: string, meanwhile: () => Promise<unknown>) {
    using hostile = await createPod(namespace, `10.9.0.${(pods += 1)}`)
    const said = () =>
      agent.events().filter(({ broker }) => broker === `of the namespace ${namespace}`)
    const hasEnded = () =>
      agent.events().some(({ event, message }) => {
        return event === 'broker_ended' && String(message).includes(` ${namespace} `)
      })
    writeFileSync(attack, name)
    await api.send('ADDED', hostile.pod)
    await waitFor(() => said().length > 0 || undefined)
    const flood = WITH_FLOOD.has(name) ? hostile.network.script(FLOOD) : undefined
    await flood?.firstLine
    await waitFor(() => said().length > 1 || hasEnded() || undefined)
    await meanwhile()
    const ended = hasEnded()
    const reached = Math.max(...said().map((event) => Number(event['reached'] ?? 0)))
    flood?.kill()
    rmSync(attack, { force: true })
    await api.send('DELETED', hostile.pod)
    node.forget(namespace)
    for (const pid of findProcesses(agent.pid, program)) process.kill(pid, 'SIGKILL')
    return { reached, ended }
  }

  const owned = cleanup.move()
  return {
    agent,
    watchNeighbour,
    attackIn,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Compiles attacks.c to the path. */
export function compileAttacks(path: string): void {
  const source = fileURLToPath(new URL('attacks.c', import.meta.url))
  const { status, stderr } = spawnSync('gcc', ['-O1', '-o', path, source])
  if (status !== 0) throw new Error(stderr.toString())
}

const readProc = (file: string) => ignoreEnded(() => readFileSync(`/proc/${file}`, 'utf8')) ?? ''

/** Returns the descendants of a process whose command line has the text. Those of an agent in a container are the runtime's. */
function findProcesses(parent: number, text: string): number[] {
  const children = readProc(`${parent}/task/${parent}/children`)
    .split(' ')
    .filter(Boolean)
    .map(Number)
  return children.flatMap((pid) => [
    ...(readProc(`${pid}/cmdline`).includes(text) ? [pid] : []),
    ...findProcesses(pid, text),
  ])
}

/** The last line may be a part of one. */
function parseCalls(output: string) {
  const lines = output.split('\n').slice(0, -1)
  return lines.map((line) => Call.parse(JSON.parse(line)))
}

const findP99 = (calls: readonly z.infer<typeof Call>[]) =>
  Math.round(
    calls.map(({ ms }) => ms).toSorted((a, b) => a - b)[Math.floor(calls.length * 0.99)] ?? 0,
  )
