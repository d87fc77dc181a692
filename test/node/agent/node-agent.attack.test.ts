/**
 * Agent and broker with pods that come, go and claim what belongs to others: no pod gets a token of another service
 * account. `ATTACK_REQUESTS=100000` makes as many requests.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { ORDERS } from '../../../src/tools/simulator/defaults.ts'
import { podNetwork, type PodNetwork, reasonToSkip } from '../../redirect/namespace.ts'
import { ACCOUNTS, createCluster } from '../broker/setup.ts'
import { type Knowledge, Report } from './attacker.ts'
import { nodeModePod, TOKEN_DIRECTORY } from './pods.ts'
import { findBrokers, startAgent, startApi, TestNode } from './test-node.ts'

const REQUESTS = Number(process.env['ATTACK_REQUESTS'] ?? 1000)
const TIMEOUT_MS = 120_000 + 50 * REQUESTS
const ATTACKER = fileURLToPath(new URL('attacker.ts', import.meta.url))
/** The pods that run at the same time. Each new one has the address and the path of one that ended. */
const ADDRESSES = ['10.9.0.2', '10.9.0.3', '10.9.0.4', '10.9.0.5']
/** A client of no identity, and of that which all service accounts may use. */
const CLIENT_IDS = [ORDERS.clientId, '99999999-9999-4999-8999-999999999999']
/** The uids of attackers: root, an app, a sidecar, the broker. */
const UIDS = ['0', '1000', '1501', '60000000']
/** A step is made after so many requests. */
const REQUESTS_PER_STEP = 500
/** For how long a claim of a namespace stands. */
const CLAIM_MS = 300

const pick = <T>(list: readonly T[]): T => {
  const found = list[Math.floor(Math.random() * list.length)]
  if (found === undefined) throw new Error('the list is empty')
  return found
}

interface AttackingPod {
  readonly uid: string
  readonly object: ReturnType<typeof nodeModePod>
  readonly network: PodNetwork
  attacker: ChildProcess | undefined
}

async function kill(child: ChildProcess): Promise<void> {
  const isOver = child.exitCode !== null || child.signalCode !== null
  if (!isOver && child.kill('SIGKILL')) await once(child, 'exit')
}

/** The loot of all attackers: the tokens and files that they could read. */
class Results {
  readonly #tokens: { readonly account: string; readonly uti: string }[] = []
  requests = 0
  refused = 0
  failed = 0
  received = 0

  add(account: string, line: string): void {
    const { requests, refused, failed, tokens } = Report.parse(JSON.parse(line))
    this.requests += requests
    this.refused += refused
    this.failed += failed
    for (const [uti, count] of Object.entries(tokens)) {
      this.received += count
      this.#tokens.push({ account, uti })
    }
  }

  /** Returns the tokens that another service account got than the one for whose projected token they were issued. */
  foreign(subjects: ReadonlyMap<string, string>): readonly string[] {
    return this.#tokens.flatMap(({ account, uti }) => {
      const subject = subjects.get(uti)
      return subject === `system:serviceaccount:shop:${account}` ? [] : [`${account}: ${subject}`]
    })
  }
}

const reason = reasonToSkip()

describe.skipIf(reason !== undefined)('agent and broker', () => {
  test('no pod gets a token of another service account', { timeout: TIMEOUT_MS }, async () => {
    await using cluster = await createCluster()
    using node = new TestNode()
    await using api = await startApi()
    const { simulator } = cluster
    const agents = [startAgent(node, { simulator })]
    const agent = () => {
      const latest = agents.at(-1)
      if (latest === undefined) throw new Error('there is no agent')
      return latest
    }
    await using cleanup = new AsyncDisposableStack()
    cleanup.defer(() => agent()[Symbol.asyncDispose]())
    const results = new Results()
    const pods = new Map<string, AttackingPod>()
    const ended: string[] = []
    let attackers = 0
    cleanup.defer(async () => {
      for (const pod of pods.values()) await discard(pod)
    })
    const list = () => api.set(...[...pods.values()].map(({ object }) => object))

    function startAttacker({ network }: AttackingPod, account: string): ChildProcess {
      const knowledge: Knowledge = {
        clientIds: CLIENT_IDS,
        addresses: ADDRESSES,
        uids: [...[...pods.values()].map(({ uid }) => uid), ...ended.slice(-10)],
      }
      const enter = [`--net=${network.namespacePath}`, '--', 'setpriv', `--reuid=${pick(UIDS)}`]
      const program = [process.execPath, ATTACKER, JSON.stringify(knowledge)]
      const argv = [...enter, '--clear-groups', ...program]
      const child = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
      createInterface(child.stdout).on('line', (line) => results.add(account, line))
      return child
    }

    /** Creates a pod with the address, and with the path of the namespace that the last one there had. */
    async function create(address: string): Promise<void> {
      const account = pick(ACCOUNTS)
      const last = ended.at(-1)
      const uid = last !== undefined && Math.random() < 0.3 ? last : randomUUID()
      const network = await podNetwork(address)
      for (const other of ADDRESSES) {
        if (other !== address) network.exec('ip', 'address', 'add', `${other}/32`, 'dev', 'lo')
      }
      node.writeToken(uid, cluster.tokens.get(account) ?? '')
      const settings = {
        AZURE_TENANT_ID: simulator.tenantId,
        AZURE_CLIENT_ID: ORDERS.clientId,
        AZURE_AUTHORITY_HOST: simulator.authorityHost,
        AZURE_FEDERATED_TOKEN_FILE: `${TOKEN_DIRECTORY}/token`,
        WIMDS_POD_UID: uid,
      }
      const object = nodeModePod({
        uid,
        addresses: [address],
        settings,
        spec: { serviceAccountName: account },
      })
      const pod: AttackingPod = { uid, object, network, attacker: undefined }
      pods.set(address, pod)
      node.keep(network, uid, address)
      list()
      await api.send('ADDED', object)
      await vi.waitUntil(async () => (await readUid(network)) === uid, {
        timeout: 60_000,
        interval: 100,
      })
      pod.attacker = startAttacker(pod, account)
      attackers += 1
    }

    /** Lets another pod have the address, while the attacker of the last one goes on for a moment. */
    async function replace(address: string): Promise<void> {
      const last = pods.get(address)
      if (last !== undefined) {
        pods.delete(address)
        ended.push(last.uid)
        list()
        await api.send('DELETED', last.object)
        node.forget(last.uid)
      }
      await create(address)
      await discard(last)
    }

    async function discard(pod: AttackingPod | undefined): Promise<void> {
      if (pod?.attacker !== undefined) await kill(pod.attacker)
      pod?.network[Symbol.dispose]()
    }

    const steps = [
      () => replace(pick(ADDRESSES)),
      // A record that claims the namespace of another pod: neither is served then.
      async () => {
        const [thief, victim] = [pick(ADDRESSES), pick(ADDRESSES)]
        const from = pods.get(thief)
        const to = pods.get(victim)
        if (thief === victim || from === undefined || to === undefined) return
        node.keep(to.network, from.uid, victim)
        await sleep(CLAIM_MS)
        await replace(thief)
      },
      async () => {
        for (const broker of findBrokers(agent().pid)) process.kill(broker, 'SIGKILL')
      },
      async () => {
        await agent().kill()
        agents.push(startAgent(node, { simulator }))
        await api.waitForWatch()
      },
    ]

    for (const address of ADDRESSES) await replace(address)
    const count = Math.max(steps.length, Math.ceil(REQUESTS / REQUESTS_PER_STEP))
    for (let step = 0; step < count; step += 1) {
      await (step < steps.length ? steps[step] : pick(steps))?.()
      const requests = (step + 1) * REQUESTS_PER_STEP
      await vi.waitUntil(() => results.requests >= requests, { timeout: TIMEOUT_MS })
    }
    for (const pod of pods.values()) if (pod.attacker !== undefined) await kill(pod.attacker)
    const subjects = new Map(
      agents
        .flatMap(({ events }) => events())
        .filter(({ event }) => event === 'token_obtained')
        .map(({ uti, subject }) => [String(uti), String(subject)]),
    )
    process.stdout.write(
      `${results.requests} requests of ${attackers} pods: ${results.received} tokens, ${results.refused} refused, ` +
        `${results.failed} without an answer, ${results.foreign(subjects).length} foreign; ${agents.length} agents\n`,
    )
    expect(results.foreign(subjects)).toEqual([])
    expect(results.received).toBeGreaterThan(REQUESTS / 10)
    expect(results.refused).toBeGreaterThan(0)
  })
})

/** Returns the UID for which a broker answers in the network of the pod. */
async function readUid({ namespacePath }: PodNetwork): Promise<string | undefined> {
  const curl = ['curl', '-s', '-m', '20', 'http://169.254.169.254/readyz']
  const enter = [`--net=${namespacePath}`, '--', ...curl]
  const { stdout } = await promisify(execFile)('nsenter', enter).catch(() => ({ stdout: '' }))
  return /"instanceId":"([^"]*)"/.exec(stdout)?.[1]
}
