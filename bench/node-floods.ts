/** Neighbours on a node in mode node: how long one pod's cached token takes while another pod floods the broker. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { constants, setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createCluster, TOKEN, tokenOf } from '../test/node/broker/setup.ts'
import { request } from '../test/fixtures/connection.ts'
import { type Figure, median, percentile, times } from './figures.ts'

/** What the flood sends on each connection, as fast as it is answered. */
const FLOODS = {
  cached: 'cached tokens',
  failing: 'tokens for unknown resources',
  connections: 'connections of one request',
} as const

type Flood = keyof typeof FLOODS

const CONNECTIONS = 128
const CALLERS = 16
/** Of each caller, between two requests. */
const PAUSE_MS = 20
const MEASURE_MS = 3000
const ROUNDS = 5

/** Measures the neighbour alone and under each flood, in turn. The figure is the median of the rounds. */
export async function nodeFloods(): Promise<readonly Figure[]> {
  await using cluster = await createCluster()
  // As the chart starts it.
  await using agent = cluster.start(cluster.readOwnToken, {
    NODE_OPTIONS: '--max-semi-space-size=1',
  })
  const hostile = await agent.serve(cluster.podOf('orders'))
  const neighbour = await agent.serve(cluster.podOf('billing'))
  await tokenOf(hostile)
  await measure(neighbour)
  const figures: Figure[] = []
  for (const flood of ['cached', 'failing', 'connections'] as const) {
    const alone: number[] = []
    const flooded: number[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      alone.push(await measure(neighbour))
      flooded.push(await measureUnder(flood, hostile, neighbour))
    }
    const bare = median(alone)
    figures.push({
      name: `mode node, neighbour of a flood of ${FLOODS[flood]}: p99`,
      unit: 'ms',
      wimds: median(flooded),
      bare,
      bar: times(3, bare),
    })
  }
  return figures
}

async function measureUnder(flood: Flood, hostile: number, neighbour: number): Promise<number> {
  const attacker = startChild('flood', hostile, flood)
  try {
    await once(attacker, 'message')
    await sleep(1000)
    return await measure(neighbour)
  } finally {
    attacker.kill('SIGKILL')
    await once(attacker, 'exit')
    await sleep(1000)
  }
}

/** Returns the 99th percentile of the neighbour's requests, in milliseconds. */
async function measure(port: number): Promise<number> {
  const caller = startChild('call', port)
  const [p99] = await once(caller, 'message')
  return Number(p99)
}

function startChild(...args: readonly (string | number)[]) {
  return fork(fileURLToPath(import.meta.url), args.map(String))
}

/** Sends requests on one connection, each after `next` has resolved to its path; opens another one when it is closed. */
function send(port: number, next: () => Promise<string>, isOneRequest = false): void {
  const socket = connect(port, '127.0.0.1')
  const sendNext = async () => socket.write(request(await next()))
  socket.on('connect', () => void sendNext())
  socket.on('data', () => (isOneRequest ? socket.destroy() : void sendNext()))
  socket.on('error', () => {})
  socket.on('close', () => setTimeout(send, isOneRequest ? 0 : 50, port, next, isOneRequest))
}

function runFlood(port: number, flood: string | undefined): void {
  // What is measured is the broker: the kubelet's cgroups share the processors between pods.
  setPriority(constants.priority.PRIORITY_LOW)
  const next = async () => (flood === 'failing' ? `${TOKEN}/${Math.random()}` : TOKEN)
  for (let at = 0; at < CONNECTIONS; at += 1) send(port, next, flood === 'connections')
  process.send?.('started')
}

async function runCallers(port: number): Promise<void> {
  const latencies: number[] = []
  for (let at = 0; at < CALLERS; at += 1) {
    let sentAt: number | undefined
    send(port, async () => {
      if (sentAt !== undefined) latencies.push(performance.now() - sentAt)
      await sleep(PAUSE_MS)
      sentAt = performance.now()
      return TOKEN
    })
  }
  await sleep(MEASURE_MS)
  process.send?.(percentile(latencies, 0.99), () => process.exit())
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [role, port, flood] = process.argv.slice(2)
  if (role === 'flood') runFlood(Number(port), flood)
  else await runCallers(Number(port))
}
