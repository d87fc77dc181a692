/** A node in mode node, with the built agent, an API server, and pods that are network namespaces. */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TENANT_ID } from '../src/tools/simulator/defaults.ts'
import { createSimulator } from '../src/tools/simulator/simulator.ts'
import { nodeModePod, TOKEN_DIRECTORY } from '../test/node/agent/pods.ts'
import { startAgent, startApi, TestNode } from '../test/node/agent/test-node.ts'
import { readMallocSettings } from './processes.ts'

export const PORT = 64_169
export const TOKEN =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'

export interface BenchPod {
  readonly namespacePath: string
  /** Deletes the pod, and its network. */
  readonly remove: () => Promise<void>
}

interface PodOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Files that the volume has beside the projected token, or instead of it. */
  readonly files?: Readonly<Record<string, string>>
}

export type BenchNode = Awaited<ReturnType<typeof startNode>>

/** Starts the node, without pods. The service account `orders` of each namespace may use an application. */
export async function startNode(namespaces: readonly string[]) {
  await using cleanup = new AsyncDisposableStack()
  const clientIds = new Map(namespaces.map((namespace) => [namespace, randomUUID()]))
  const simulator = await createSimulator({
    directory: {
      applications: namespaces.map((namespace) => ({
        clientId: clientIds.get(namespace) ?? '',
        federatedCredentials: [{ subject: `system:serviceaccount:${namespace}:orders` }],
      })),
    },
  })
  cleanup.defer(() => simulator.close())
  const node = cleanup.use(new TestNode())
  const api = cleanup.use(await startApi())
  const env = {
    ...(await readMallocSettings()),
    // The chart starts the agent with this option.
    NODE_OPTIONS: '--max-semi-space-size=1',
  }
  const flags = [`--max-brokers=${namespaces.length}`]
  const start = () => startAgent(node, { env, simulator, flags })
  let agent = start()
  cleanup.defer(() => agent[Symbol.asyncDispose]())
  /** The functions that delete the network of each pod. */
  const networks = new Map<string, () => void>()
  cleanup.defer(() => {
    for (const deleteNetwork of networks.values()) deleteNetwork()
  })
  const pods = new Map<string, object>()
  const list = () => api.set(...pods.values())

  /** Creates a pod, whose network has nothing but `lo`. */
  async function createPod(namespace: string, { env: more = {}, files }: PodOptions = {}) {
    const uid = randomUUID()
    const network = `wimds-bench-${uid.slice(0, 8)}`
    execFileSync('ip', ['netns', 'add', network])
    const deleteNetwork = () => execFileSync('ip', ['netns', 'delete', network])
    networks.set(uid, deleteNetwork)
    execFileSync('ip', ['-n', network, 'link', 'set', 'lo', 'up'])
    const volume = join(node.pods, uid, 'volumes/kubernetes.io~projected/wimds-token')
    mkdirSync(volume, { recursive: true })
    const token = await simulator.issuer.sign({ namespace, serviceAccount: 'orders' })
    for (const [name, text] of Object.entries({ token: token.reveal(), ...files })) {
      writeFileSync(join(volume, name), text)
    }
    const settings = {
      AZURE_TENANT_ID: TENANT_ID,
      AZURE_CLIENT_ID: clientIds.get(namespace) ?? '',
      AZURE_AUTHORITY_HOST: simulator.authorityHost,
      AZURE_FEDERATED_TOKEN_FILE: `${TOKEN_DIRECTORY}/token`,
      ...more,
    }
    const object = nodeModePod({ uid, name: uid, namespace, settings })
    const namespacePath = `/var/run/netns/${network}`
    node.keep({ namespacePath }, uid)
    pods.set(uid, object)
    list()
    await api.send('ADDED', object)
    const remove = async () => {
      pods.delete(uid)
      list()
      await api.send('DELETED', object)
      node.forget(uid)
      rmSync(volume, { recursive: true })
      networks.delete(uid)
      deleteNetwork()
    }
    return { namespacePath, remove } satisfies BenchPod
  }

  const owned = cleanup.move()
  return {
    createPod,
    agent: () => agent,
    /** Kills the agent, and starts the next one. */
    restart: async () => {
      await agent.kill()
      agent = start()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Returns the arguments that run a program in the network of the pod, by `nsenter`. */
export const inPod = ({ namespacePath }: BenchPod, ...argv: readonly string[]) => [
  `--net=${namespacePath}`,
  '--',
  ...argv,
]
