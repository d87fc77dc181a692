/** The life of an injected pod: start order, a crash of the sidecar, termination. */
import { beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { curlInCluster } from './support/around.ts'
import { testCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import { meshInit } from './support/mesh.ts'
import { startAgent } from './support/node-agent.ts'
import { skipWithoutRoute } from './support/requirements.ts'
import {
  ACCOUNT,
  appPod,
  CLIENT,
  curl,
  injectedPods,
  METADATA,
  originIn,
  type Mode,
  replyIn,
  STAY,
  TOKEN_PATH,
} from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-lifecycle'
const MODES: readonly Mode[] = ['env', 'loopback', 'nft', 'node']

const cluster = testCluster(NAMESPACE)

beforeAll(async () => {
  await startAgent()
  await cluster.namespace.create(ACCOUNT)
})

const pod = (name: string, script: string) => appPod({ name, account: 'app', script })

/** Injects and creates the pod, and waits until it is ready. */
async function start(name: string, script: string, mode: Mode = 'loopback'): Promise<void> {
  await cluster.namespace.create(await injectedPods(mode, [ACCOUNT], [pod(name, script)]))
  await cluster.namespace.ready(name)
}

test.concurrent.for(MODES)(
  'mode %s gets tokens although a mesh has redirected all connections before',
  async (mode, { skip }) => {
    await skipWithoutRoute(mode, skip)
    const name = `mesh-${mode}`
    const script = `${curl(TOKEN_PATH, originIn(mode))}; ${STAY}`
    const { spec, ...rest } = parse(await injectedPods(mode, [ACCOUNT], [pod(name, script)]))
    const initContainers = [meshInit, ...spec.initContainers]
    await cluster.namespace.create({ ...rest, spec: { ...spec, initContainers } })
    await cluster.namespace.ready(name)
    expect(await cluster.reply(name)).toMatchObject({ status: 200 })
    // The mesh's rules are in effect: no other connection gets in or out.
    const ip = await cluster.namespace.field(`pod ${name}`, '{.status.podIP}')
    await expect(curlInCluster([`http://${hostIn(ip)}:9169/healthz`])).rejects.toThrow('curl: (7)')
    const host = await cluster.namespace.field(`pod ${name}`, '{.status.hostIP}')
    const outside = ['curl', '-sS', '-m', '5', `https://${hostIn(host)}:6443`]
    await expect(cluster.namespace.exec(name, 'app', outside)).rejects.toThrow(
      /[Cc]onn.*refused|connect to/,
    )
  },
)

/** Returns the host part of a URL: an IPv6 address gets brackets. */
const hostIn = (address: string) => (address.includes(':') ? `[${address}]` : address)

/** Returns a command that requests the instance document, and prints only an error. */
const askFor = (mode: Mode) => {
  const path = '/metadata/instance?api-version=2021-02-01'
  return `curl -sS -m 60 -o /dev/null -H Metadata:true '${originIn(mode)}${path}'`
}

test.concurrent.each<Mode>(['env', 'loopback'])(
  'no container starts before a slow sidecar answers in mode %s',
  async (mode) => {
    const name = `slow-${mode}`
    const ask = askFor(mode)
    const slow = appPod({
      name,
      account: 'app',
      script: `${ask}; ${STAY}`,
      initScript: ask,
      annotations: { 'wimds.io/cpu-limit': '50m' },
    })
    await cluster.namespace.create(await injectedPods(mode, [ACCOUNT], [slow]))
    await cluster.namespace.ready(name, 240)
    for (const container of ['init', 'app']) {
      expect(await cluster.namespace.logs(name, container)).toBe('')
    }
    const counts = '{.status.initContainerStatuses[*].restartCount}'
    expect(await cluster.namespace.field(`pod ${name}`, counts)).toMatch(/^[0 ]*$/)
  },
  300_000,
)

/** curl's exit codes for a connection that broke after it was established. */
const BROKEN = new Set(['52', '56'])
const CALLERS = 4

test.concurrent('no new connection fails while the sidecar restarts', async () => {
  const name = 'loaded'
  const format = String.raw`%{http_code} %{exitcode}\n`
  const ask = `curl -s -m 60 -o /dev/null -w '${format}' -H Metadata:true '${METADATA}${TOKEN_PATH}'`
  const caller = `while :; do ${ask}; sleep 0.05; done`
  const script = `trap 'exit 0' TERM; ${`(${caller}) & `.repeat(CALLERS)} wait`
  await start(name, script)
  await eventually('the load is running', () => answers(name, 10))
  // The second signal ends the sidecar at once, without a drain.
  const kill = `process.kill(1, 'SIGTERM'); process.kill(1, 'SIGTERM')`
  await cluster.namespace.exec(name, 'wimds', ['/nodejs/bin/node', '-e', kill]).catch(() => {})
  await eventually('the sidecar has been restarted', async () => {
    const path = '{.status.initContainerStatuses[?(@.name=="wimds")].restartCount}'
    const count = await cluster.namespace.field(`pod ${name}`, path)
    return count === '1' ? count : undefined
  })
  const before = (await answers(name, 0)) ?? []
  const all = await eventually('the load continues', () =>
    answers(name, before.length + 10 * CALLERS),
  )
  expect(all.slice(before.length)).toContain('200 0')
  // 504 is an answer too: Entra ID may be slow on a busy node.
  const failed = all.filter((line) => !line.endsWith(' 0'))
  const broken = failed.filter((line) => BROKEN.has(line.split(' ')[1] ?? ''))
  expect(failed).toEqual(broken)
  expect(broken.length).toBeLessThanOrEqual(CALLERS)
})

async function answers(name: string, atLeast: number): Promise<string[] | undefined> {
  const lines = (await cluster.namespace.logs(name)).trim().split('\n')
  return lines.length >= atLeast ? lines : undefined
}

test.concurrent.each<Mode>(['loopback', 'node'])(
  'an app in mode %s gets answers until it has ended',
  async (mode) => {
    const name = `ending-${mode}`
    const last = `echo ending; sleep 2; ${curl(TOKEN_PATH)}; exit 0`
    const script = `trap "${last.replaceAll('"', '\\"')}" TERM; while :; do sleep 0.2; done`
    await start(name, script, mode)
    const output = cluster.namespace.kubectl(['logs', name, '--container=app', '--follow'])
    await cluster.namespace.kubectl(['delete', 'pod', name, '--wait=false'])
    const { status, body } = replyIn(await output)
    expect(status).toBe(200)
    expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
  },
)
