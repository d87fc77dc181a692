/** Starts a simulator and a built sidecar that uses it, as in a pod. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose'
import { fetch } from 'undici'
import { z } from 'zod'
import { freePort } from '../../support/free-port.ts'
import { startChild } from '../../../src/tools/demo/sidecar.ts'
import { sidecarSettings } from '../../../src/tools/simulator/environment.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { createDirectory, DEFAULT_IDENTITY, formatIdentitiesFile } from './identities.ts'

const SIDECAR = fileURLToPath(new URL('../../../dist/wimds.js', import.meta.url))
const READY_WITHIN_MS = 60_000
const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })

/** Endpoints of the sidecar on loopback. */
export interface Endpoints {
  /** Without a trailing slash. */
  readonly origin: string
  /** The secret of the App Service endpoint. */
  readonly identityHeader: string
}

export interface Stack extends AsyncDisposable {
  readonly endpoints: Endpoints
  readonly simulator: Simulator
  /** Entra ID's signing keys, which validate access tokens. */
  readonly keys: JWTVerifyGetKey
}

export interface StackOptions {
  /** Additional addresses to listen on, such as `169.254.169.254:80`. */
  readonly listen?: readonly string[]
}

/** Starts both and waits until the sidecar is ready. */
export async function startStack({ listen = [] }: StackOptions = {}): Promise<Stack> {
  await using onFailure = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'wimds-clients-'))
  onFailure.defer(() => rm(directory, { recursive: true, force: true }))
  const simulator = onFailure.use(await createSimulator({ directory: createDirectory }))
  const identities = join(directory, 'identities.yaml')
  await writeFile(identities, formatIdentitiesFile())
  const address = `127.0.0.1:${await freePort()}`
  const endpoints = { origin: `http://${address}`, identityHeader: crypto.randomUUID() }

  onFailure.use(
    await startSidecar(endpoints.origin, {
      ...sidecarSettings(simulator),
      AZURE_CLIENT_ID: DEFAULT_IDENTITY.clientId,
      WIMDS_CONFIG: identities,
      WIMDS_IDENTITY_HEADER: endpoints.identityHeader,
      WIMDS_LISTEN: [address, ...listen].join(','),
      WIMDS_ADMIN_LISTEN: 'off',
      WIMDS_LOG_FORMAT: 'text',
    }),
  )
  const keys = await fetchSigningKeys(simulator)
  const parts = onFailure.move()
  return { endpoints, simulator, keys, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

async function startSidecar(
  origin: string,
  env: Readonly<Record<string, string>>,
): Promise<AsyncDisposable> {
  const sidecar = startChild({ script: SIDECAR, args: ['serve'], env })
  const deadline = Date.now() + READY_WITHIN_MS
  while (!(await isReady(origin))) {
    if (sidecar.hasEnded() || Date.now() > deadline) {
      await sidecar[Symbol.asyncDispose]()
      throw new Error(`the sidecar did not become ready:\n${sidecar.output()}`)
    }
    await sleep(50)
  }
  return sidecar
}

async function isReady(origin: string): Promise<boolean> {
  try {
    return (await fetch(`${origin}/readyz`, { signal: AbortSignal.timeout(1000) })).ok
  } catch {
    return false
  }
}

async function fetchSigningKeys({
  authorityHost,
  dispatcher,
}: Simulator): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${authorityHost}/common/discovery/v2.0/keys`, { dispatcher })
  return createLocalJWKSet(KeySet.parse(await response.json()))
}
