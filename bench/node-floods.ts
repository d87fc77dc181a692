/** Hostile tenants of a node in mode node: how a pod fares while the pods of another namespace attack. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { TOKEN_DIRECTORY } from '../test/node/agent/pods.ts'
import { atMost, type Figure, median, percentile } from './figures.ts'
import { type BenchNode, type BenchPod, inPod, PORT, startNode, TOKEN } from './node.ts'

const CONNECTIONS = 128
const CALLERS = 16
/** The pause of each caller between two requests. */
const PAUSE_MS = 20
const MEASURE_MS = 3000
const ROUNDS = 3
/** An attack goes on for so long before it is measured, since a broker reads projected tokens again after 20 s. */
const WARM_UP_MS = 22_000
/** The CPU that all attackers have together. */
const PROCESSOR = '0'
const GATES = 40
/** The number of token files for which an identities file has room. */
const FILES = 1200

type Attack = keyof typeof ATTACKS

const of = (path: string) => `${TOKEN_DIRECTORY}/${path}`
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The pods of each attack, and the request that the first pod sends on each connection as soon as the last one is answered. */
const ATTACKS = {
  'aliases in an identities file': {
    env: { WIMDS_CONFIG: of('identities.yaml') },
    files: { 'identities.yaml': createAliases() },
  },
  'a long subject in a projected token': {
    files: { token: createToken('x'.repeat(46_000)) },
    request: () => get(TOKEN),
  },
  'forms of 64 kB': { request: createForm },
  '12 000 failures and scrapes': {
    request: () => get(`${TOKEN}/${Math.random()}`),
    isScraped: true,
  },
  '40 gates of 1200 token files of 128 kB': {
    pods: GATES,
    env: { WIMDS_CONFIG: of('identities.yaml'), AZURE_FEDERATED_TOKEN_FILE: '' },
    files: { 'identities.yaml': createIdentities(), file: 'x'.repeat(131_072) },
  },
} satisfies Readonly<Record<string, AttackOptions>>

interface AttackOptions {
  readonly pods?: number
  readonly env?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>>
  readonly request?: () => string
  readonly isScraped?: boolean
}

const get = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\n\r\n`

function createForm(): string {
  const body = `resource=https://vault.azure.net&${'x=1&'.repeat(16_000)}`
  return `POST /oauth2/token HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

/** Ten aliases in each of many levels. */
function createAliases(): string {
  const levels = Array.from({ length: 200 }, (_, at) => {
    const aliases = Array(10).fill(`*a${at}`).join(', ')
    return `a${at + 1}: &a${at + 1} [${aliases}]`
  })
  return ['a0: &a0 [x]', ...levels, 'identities: *a200'].join('\n')
}

/** A token that no one has signed: only Entra ID checks that. */
function createToken(subject: string): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'https://issuer', sub: subject, aud: 'api://AzureADTokenExchange' }
  return `${encode({ alg: 'RS256' })}.${encode({ ...claims, exp: now + 3600, iat: now })}.c2ln`
}

/** Creates an identities file that names one token file by many paths. */
function createIdentities(): string {
  const entries = Array.from(
    { length: FILES },
    (_, at) =>
      `- {clientId: 11111111-1111-4111-8111-${`${at}`.padStart(12, '0')}, tokenFile: ${of(`${at}/../file`)}}`,
  )
  return ['identities:', ...entries].join('\n')
}

const Measured = z.object({ p99: z.number(), failed: z.number() })

/** Measures a pod alone and during each attack from another namespace. The figure is the median of the rounds. */
export async function nodeFloods(): Promise<readonly Figure[]> {
  await using node = await startNode(['shop', 'hostile'])
  const neighbour = await node.createPod('shop')
  await node.agent().logged('pod_routed')
  await measure(neighbour)
  const alone = await measureRounds(neighbour)
  const limit = Math.max(3 * alone.p99, 10)
  const figures: Figure[] = []
  let failures = 0
  for (const attack of Object.keys(ATTACKS).filter(isAttack)) {
    const { p99, failed, ends } = await measureUnder(attack, node, neighbour)
    failures += failed + ends
    figures.push({
      name: `mode node, attack by another namespace, ${attack}: p99`,
      unit: 'ms',
      wimds: p99,
      bare: alone.p99,
      bar: { text: '≤ 3 × alone, or 10 ms', limit },
    })
  }
  const name = 'the same five attacks: failed requests, and ends of the broker'
  return [...figures, { name, unit: '', wimds: failures, bar: atMost(0, '') }]
}

const isAttack = (name: string): name is Attack => Object.hasOwn(ATTACKS, name)

async function measureUnder(attack: Attack, node: BenchNode, neighbour: BenchPod) {
  const options: AttackOptions = ATTACKS[attack]
  const { pods: count = 1, env = {}, files = {}, request, isScraped = false } = options
  const ended = () =>
    node
      .agent()
      .events()
      .filter(({ event, message }) => event === 'broker_ended' && / shop /.test(String(message)))
      .length
  const endedBefore = ended()
  const pods: BenchPod[] = []
  for (let at = 0; at < count; at += 1) pods.push(await node.createPod('hostile', { env, files }))
  const [first] = pods
  const attackers =
    request === undefined || first === undefined
      ? []
      : [start('nsenter', inPod(first, ...pinned('flood', attack)))]
  if (isScraped)
    attackers.push(start('taskset', ['-c', PROCESSOR, ...self('scrape', adminPort(node))]))
  try {
    await sleep(WARM_UP_MS)
    const measured = await measureRounds(neighbour)
    return { ...measured, ends: ended() - endedBefore }
  } finally {
    for (const attacker of attackers) {
      attacker.kill('SIGKILL')
      await once(attacker, 'exit')
    }
    for (const pod of pods) await pod.remove()
    await sleep(1000)
  }
}

const self = (...args: readonly string[]) => [
  process.execPath,
  '--no-warnings',
  fileURLToPath(import.meta.url),
  ...args,
]
const pinned = (...args: readonly string[]) => ['taskset', '-c', PROCESSOR, ...self(...args)]

function start(program: string, args: readonly string[]) {
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

function adminPort(node: BenchNode): string {
  const found = node
    .agent()
    .events()
    .find(({ event, port }) => event === 'listening' && port)
  return String(found?.['port'])
}

async function measureRounds(pod: BenchPod) {
  const rounds: z.infer<typeof Measured>[] = []
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measure(pod))
  const failed = rounds.reduce((sum, each) => sum + each.failed, 0)
  return { p99: median(rounds.map(({ p99 }) => p99)), failed }
}

/** Returns the 99th percentile of the pod's requests, in milliseconds, and how many were not answered with 200. */
async function measure(pod: BenchPod): Promise<z.infer<typeof Measured>> {
  const caller = start('nsenter', inPod(pod, ...self('call')))
  const [line] = await once(createInterface(caller.stdout), 'line')
  return Measured.parse(JSON.parse(String(line)))
}

/** Sends each request that `next` resolves to, on one connection. Opens another one when the server closes it. */
function send(
  port: number,
  next: () => Promise<string> | string,
  onReply: (reply: string) => void = () => {},
): void {
  const socket = connect(port, '127.0.0.1')
  const sendNext = async () => socket.write(await next())
  socket.on('connect', () => void sendNext())
  socket.on('data', (chunk: Buffer) => {
    onReply(chunk.toString('latin1', 0, 12))
    void sendNext()
  })
  socket.on('error', ({ message }) => onReply(message))
  socket.on('close', () => setTimeout(send, 50, port, next, onReply))
}

async function runCallers(): Promise<void> {
  const latencies: number[] = []
  let failed = 0
  for (let at = 0; at < CALLERS; at += 1) {
    let sentAt = 0
    const next = async () => {
      await sleep(PAUSE_MS)
      sentAt = performance.now()
      return get(TOKEN)
    }
    send(PORT, next, (reply) => {
      latencies.push(performance.now() - sentAt)
      if (reply !== 'HTTP/1.1 200') failed += 1
    })
  }
  await sleep(MEASURE_MS)
  process.stdout.write(`${JSON.stringify({ p99: percentile(latencies, 0.99), failed })}\n`, () =>
    process.exit(),
  )
}

async function runScrapes(port: string): Promise<void> {
  for (;;) {
    await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text())
    await sleep(100)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [role, argument = ''] = process.argv.slice(2)
  if (role === 'call') await runCallers()
  else if (role === 'scrape') await runScrapes(argument)
  else if (isAttack(argument)) {
    const { request }: AttackOptions = ATTACKS[argument]
    if (request !== undefined) for (let at = 0; at < CONNECTIONS; at += 1) send(PORT, request)
  }
}
