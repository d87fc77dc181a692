/**
 * `npm run bench:webhook`: floods `wimds webhook` in a memory cgroup with the chart's limit. Prints, for
 * each flood, the peak of memory, the calls of the API server, and how long a small review took meanwhile.
 * Needs Linux, root and a built dist/.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { Agent, createServer, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../test/support/free-port.ts'
import { podReview } from '../test/fixtures/pod-review.ts'
import { percentile } from './figures.ts'

const CLI = fileURLToPath(new URL('../dist/wimds.js', import.meta.url))
const LIMIT_BYTES = 256 * 1024 * 1024
/** More than the webhook's cap. */
const CONNECTIONS = 300
const SECONDS = 8
const TENANT = '22222222-2222-4222-8222-222222222222'

const variables = (count: number, name: string, value: string) =>
  Array.from({ length: count }, () => ({ name, value }))

/** The pods of each flood; `serial` is different for each review. */
const FLOODS: Readonly<Record<string, (serial: number) => object>> = {
  'tiny reviews of one missing account': () => ({ spec: { serviceAccountName: 'missing' } }),
  'small reviews of unknown ServiceAccounts': (serial) => pod({ serviceAccountName: `x${serial}` }),
  'ServiceAccounts with 250 KB of annotations': (serial) =>
    pod({ serviceAccountName: `large-${serial % 250}` }),
  '4000 NO_PROXY beside a no_proxy of 50 KB': () =>
    pod({}, [
      ...variables(4000, 'NO_PROXY', ''),
      { name: 'no_proxy', value: 'host.example,'.repeat(4000) },
    ]),
  'many small containers': () =>
    pod({ containers: Array.from({ length: 3000 }, (_, at) => ({ name: `c${at}` })) }),
  'a pod that claims to be injected': () => ({
    metadata: { annotations: { 'wimds.io/inject': 'true', 'wimds.io/injected': 'env' } },
    spec: {
      containers: [
        { name: 'wimds', env: variables(1, 'WIMDS_LISTEN', '127.0.0.1:1,'.repeat(20_000)) },
        { name: 'app', env: variables(10_000, 'A', 'http://127.0.0.1:64169') },
      ],
    },
  }),
  'pods of 700 KB': () => pod({}, variables(1, 'LARGE', 'x'.repeat(700_000))),
  'bodies of 3 MB': () => pod({}, variables(1, 'LARGE', 'x'.repeat(3_000_000))),
  'bodies of 80 000 values': () => pod({ x: Array.from({ length: 79_000 }, () => ({})) }),
}

function pod(spec: object, env: object[] = []): object {
  return {
    metadata: { annotations: { 'wimds.io/inject': 'true' } },
    spec: {
      serviceAccountName: 'orders',
      containers: [{ name: 'app', image: 'app:1', env }],
      ...spec,
    },
  }
}

const formatReview = (object: object) => JSON.stringify(podReview(object))

/** Sends one review and resolves to the reply, or to the error. */
function post(port: number, agent: Agent, body: string): Promise<string> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, agent, path: '/mutate', method: 'POST' }
    const sent = request({ ...options, rejectUnauthorized: false, timeout: 30_000 })
    sent.on('error', (error) => resolve(error.message))
    sent.on('timeout', () => sent.destroy())
    sent.on('response', (reply) => {
      let text = ''
      reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk.slice(0, 200)))
      reply.on('close', () => resolve(`${reply.statusCode} ${text}`))
    })
    sent.end(body)
  })
}

/** Sends one kind of pod on all connections until this process is killed. */
async function flood(name: string, port: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  let serial = 0
  const create = FLOODS[name] ?? (() => ({}))
  const fixed = /ServiceAccounts/.test(name) ? undefined : formatReview(create(0))
  const loop = async () => {
    for (;;) await post(port, agent, fixed ?? formatReview(create((serial += 1))))
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, loop))
}

/** Starts an API server with some ServiceAccounts; each call takes 5 ms. */
async function startApiServer(tls: object) {
  const seen = { accounts: 0, concurrent: 0, maxConcurrent: 0 }
  const filler = 'x'.repeat(250_000)
  const server = createServer(tls, (incoming, response) => {
    const { pathname } = new URL(incoming.url ?? '/', 'http://api')
    const account = /\/serviceaccounts\/(.+)$/.exec(pathname)?.[1]
    if (account === undefined) {
      response.writeHead(404).end('{}')
      return
    }
    seen.accounts += 1
    seen.concurrent += 1
    seen.maxConcurrent = Math.max(seen.maxConcurrent, seen.concurrent)
    setTimeout(() => {
      seen.concurrent -= 1
      const isKnown = account === 'orders' || account.startsWith('large-')
      const annotations = {
        'azure.workload.identity/tenant-id': TENANT,
        ...(account.startsWith('large-') && { filler }),
      }
      response
        .writeHead(isKnown ? 200 : 404, { 'Content-Type': 'application/json' })
        .end(JSON.stringify(isKnown ? { metadata: { annotations } } : {}))
    }, 5)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { seen, port, close: () => server.close().closeAllConnections() }
}

/** Creates a memory cgroup of version 1 or 2. */
function createCgroup() {
  const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
  const path = `/sys/fs/cgroup/${isV2 ? '' : 'memory/'}wimds-floods-${process.pid}`
  mkdirSync(path)
  const file = (v1: string, v2: string) => join(path, isV2 ? v2 : v1)
  writeFileSync(file('memory.limit_in_bytes', 'memory.max'), `${LIMIT_BYTES}`)
  return {
    add: (pid: number) => writeFileSync(join(path, 'cgroup.procs'), `${pid}`),
    peakMiB: () => {
      const peak = readFileSync(file('memory.max_usage_in_bytes', 'memory.peak'), 'utf8')
      return Math.round(Number(peak) / 1024 / 1024)
    },
    remove: () => rmdirSync(path),
  }
}

async function measure(name: string): Promise<string> {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-floods-'))
  const { createCertificateAuthority } = await import('../src/lib/x509.ts')
  const authority = await createCertificateAuthority()
  const { certPem, keyPem } = await authority.issue({ names: ['wimds.wimds.svc', '127.0.0.1'] })
  const api = await startApiServer({ cert: certPem, key: keyPem })
  const file = (base: string) => join(directory.path, base)
  await writeFile(file('tls.crt'), certPem)
  await writeFile(file('tls.key'), keyPem)
  await writeFile(file('ca.crt'), authority.caPem)
  await writeFile(file('token'), 'a-token')
  const [port, adminPort] = [await freePort(), await freePort()]
  const cgroup = createCgroup()
  const flags = [
    `--listen=127.0.0.1:${port}`,
    `--admin-listen=127.0.0.1:${adminPort}`,
    `--cert-dir=${directory.path}`,
  ]
  // The process joins the cgroup before it starts Node, so V8 sizes its heap by the limit.
  const script = 'read -r _; exec "$@"'
  const command = [script, 'sh', process.execPath, CLI, 'webhook', ...flags]
  const webhook = spawn('sh', ['-c', ...command], {
    env: {
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: `${api.port}`,
      KUBERNETES_API_ACCESS: directory.path,
    },
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  if (webhook.pid === undefined) throw new Error('the webhook could not be started')
  cgroup.add(webhook.pid)
  webhook.stdin?.end('\n')
  const status = (path: string) =>
    fetch(`http://127.0.0.1:${adminPort}${path}`).then(
      (reply) => reply.status,
      () => 0,
    )
  while ((await status('/readyz')) !== 200) await sleep(50)

  let attacker: ChildProcess | undefined
  try {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const small = formatReview(pod({}, variables(1, 'FILLER', 'x'.repeat(5000))))
    await post(port, agent, small)
    attacker = fork(fileURLToPath(import.meta.url), ['flood', name, `${port}`])
    await sleep(1000)
    const times: number[] = []
    let denied = 0
    const end = performance.now() + SECONDS * 1000
    while (performance.now() < end) {
      const startedAt = performance.now()
      if (!(await post(port, agent, small)).includes('"patch"')) denied += 1
      times.push(performance.now() - startedAt)
      await sleep(100)
    }
    const healthStartedAt = performance.now()
    const health = await status('/healthz')
    const healthMs = Math.round(performance.now() - healthStartedAt)
    const isAlive = webhook.exitCode === null && webhook.signalCode === null
    const [median, slowest] = [0.5, 1].map((share) => Math.round(percentile(times, share)))
    return [
      name,
      isAlive ? `alive, healthz ${health} in ${healthMs} ms` : 'KILLED',
      `peak ${cgroup.peakMiB()} MiB`,
      `small review p50 ${median} ms, max ${slowest} ms, ${denied} of ${times.length} denied`,
      `look-ups ${api.seen.accounts}, at most ${api.seen.maxConcurrent} at the same time`,
    ].join(' | ')
  } finally {
    attacker?.kill('SIGKILL')
    if (webhook.exitCode === null && webhook.signalCode === null) {
      webhook.kill('SIGKILL')
      await once(webhook, 'exit')
    }
    api.close()
    await sleep(200)
    cgroup.remove()
  }
}

const [mode, name = '', port] = process.argv.slice(2)
if (mode === 'flood') await flood(name, Number(port))
else {
  const selected = Object.keys(FLOODS).filter((each) => each.includes(mode ?? ''))
  for (const each of selected) process.stdout.write(`${await measure(each)}\n`)
}
