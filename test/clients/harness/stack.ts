/** Starts a simulator and a server that uses it: a built sidecar, as in a pod, or the broker of a node. */
import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose'
import { fetch } from 'undici'
import { DEFAULT_PORT } from '../../../src/lib/sidecar-interface.ts'
import { waitUntil } from '../../../src/lib/wait-for-port.ts'
import { createFolder } from '../../fixtures/folder.ts'
import { BUILT_CLI } from '../../fixtures/run-program.ts'
import { freePort } from '../../support/free-port.ts'
import { startChild } from '../../../src/tools/demo/sidecar.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { startBroker } from './broker.ts'
import { DIRECTORY, formatIdentitiesFile } from './identities.ts'
import { injectManifest } from './injected.ts'

const READY_WITHIN_MS = 60_000

/** The endpoints of the server, on loopback. */
export interface Endpoints {
  /** Without a trailing slash. */
  readonly origin: string
  /** The secret of the App Service endpoint. */
  readonly identityHeader: string
  /** The variables that injection in mode env sets in the container of the application. */
  readonly injected: Readonly<Record<string, string>>
}

export interface Stack extends AsyncDisposable {
  readonly endpoints: Endpoints
  readonly simulator: Simulator
  /** Entra ID's signing keys, which validate access tokens. */
  readonly keys: JWTVerifyGetKey
}

export interface StackOptions {
  /** The server that answers the clients: a sidecar, or the broker of mode node. */
  readonly server?: Server
  /** Additional addresses of a sidecar, such as `169.254.169.254:80`. */
  readonly listen?: readonly string[]
  /** The lifetime of issued tokens; by default that of Entra ID's. */
  readonly lifetimeSeconds?: number | undefined
}

export type Server = 'sidecar' | 'broker'

/** Starts the simulator and the server, and waits until the server is ready. */
export async function startStack({
  server = 'sidecar',
  listen = [],
  lifetimeSeconds,
}: StackOptions = {}): Promise<Stack> {
  await using onFailure = new AsyncDisposableStack()
  const folder = onFailure.use(createFolder())
  const simulator = onFailure.use(await createSimulator({ directory: DIRECTORY }))
  const identities = folder.write('identities.yaml', formatIdentitiesFile())
  const port = server === 'broker' ? DEFAULT_PORT : await freePort()
  const address = `127.0.0.1:${port}`
  const uid = crypto.randomUUID()
  const { sidecar, app: injected } = await injectManifest(port, uid)
  const endpoints = { origin: `http://${address}`, identityHeader: uid, injected }
  if (lifetimeSeconds !== undefined) {
    simulator.faults.add({ kind: 'lifetime', expiresInSeconds: lifetimeSeconds })
  }
  const env = {
    ...sidecar,
    ...simulator.settings,
    WIMDS_CONFIG: identities,
    WIMDS_LISTEN: [sidecar['WIMDS_LISTEN'], ...listen].join(','),
    WIMDS_ADMIN_LISTEN: 'off',
  }
  const started =
    server === 'broker'
      ? await startBroker({ directory: folder.path, port, env })
      : startChild(BUILT_CLI, ['serve'], env)
  onFailure.use(started)
  const { signal } = new AbortController()
  const isOver = async (): Promise<boolean> =>
    started.hasEnded() || (await answers(`${endpoints.origin}/readyz`))
  if (!(await waitUntil(isOver, READY_WITHIN_MS, signal)) || started.hasEnded()) {
    throw new Error(`the ${server} did not become ready:\n${started.output()}`)
  }
  const { authorityHost, dispatcher } = simulator
  const response = await fetch(`${authorityHost}/common/discovery/v2.0/keys`, { dispatcher })
  const keys = createLocalJWKSet(JSON.parse(await response.text()))
  const parts = onFailure.move()
  return { endpoints, simulator, keys, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1000) })).ok
  } catch {
    return false
  }
}
