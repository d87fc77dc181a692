/** Starts the simulated cluster issuer and Entra ID, connected to each other. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage } from '../../lib/describe-error.ts'
import { formatProblem } from '../../lib/errors.ts'
import { createCertificateAuthority, type IssuedCertificate } from '../../lib/x509.ts'
import { withControl } from './control/control.ts'
import { countExchanges, createExchangeLog } from './control/exchange-log.ts'
import { ORDERS } from './defaults.ts'
import { createDirectorySchema, type DirectoryInput } from './entra/directory.ts'
import { createEntra, type EntraOptions } from './entra/entra.ts'
import { parseTokenRoute } from './entra/token-request.ts'
import { createFaults, type FaultInput, type FaultTarget } from './faults/faults.ts'
import { withFaults } from './faults/inject-faults.ts'
import { createOrigins, type Origins } from './http/origins.ts'
import type { Listen } from './http/serve.ts'
import { createIssuer, type ProjectedTokenClaims } from './issuer/issuer.ts'
import { createProjectedTokenFile } from './issuer/projected-token-file.ts'
import { failToCreate, openStateDir } from './state-dir.ts'

export interface SimulatorOptions extends Pick<EntraOptions, 'externalIssuers'> {
  /**
   * Folder for `ca.crt` and the volume `token/`; no other running process may use it. Default: a temporary folder, removed on
   * close.
   */
  readonly stateDir?: string | undefined
  readonly directory?: DirectoryInput
  /** Default claims of projected tokens. */
  readonly projectedToken?: ProjectedTokenClaims
  /** The address of Entra ID. */
  readonly listen?: Listen | undefined
  /** DNS names and addresses of Entra ID. The first is used in its URL. */
  readonly names?: readonly string[]
  /** Certificate of Entra ID. Default: one issued by the simulator's own CA. */
  readonly tls?: IssuedCertificate | undefined
  /** The faults that are in force from the start. */
  readonly faults?: readonly FaultInput[]
  readonly now?: () => number
}

export type Simulator = Awaited<ReturnType<typeof createSimulator>>

/**
 * Starts a simulator and writes its files and a first token that is valid for an hour. It connects
 * to nothing but its own servers and `externalIssuers`. Use it with `await using`, or call `close`.
 */
export async function createSimulator(options: SimulatorOptions = {}) {
  const stateDir = await openStateDir(options.stateDir)
  const origins = createOrigins()
  const close = async (): Promise<void> => {
    await origins.close()
    await stateDir.close()
  }
  try {
    const parts = await build(options, origins, stateDir.path)
    return {
      ...parts,
      /** Stops all servers and ends their connections. Safe to call twice. */
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function build(options: SimulatorOptions, origins: Origins, stateDir: string) {
  const { now = Date.now } = options
  const { dispatcher } = origins
  const { caPem, ...at } = await openOrigins(origins, options)
  const caFile = join(stateDir, 'ca.crt')
  await writeFile(caFile, caPem).catch(failToCreate(caFile))

  const issuer = await createIssuer(at.issuer.url, now)
  const directorySchema = createDirectorySchema(issuer.issuer)
  const directory = directorySchema.parse(options.directory ?? {})
  const [first] = directory.applications
  const tenantId = first?.tenantId ?? directory.tenants[0].id
  const entra = await createEntra({ ...options, directory, dispatcher, now })

  const tokenFile = createProjectedTokenFile(join(stateDir, 'token'), now)
  const rotateToken = async (claims: ProjectedTokenClaims = {}): Promise<void> =>
    tokenFile.write((await issuer.sign({ ...options.projectedToken, ...claims })).reveal())
  await rotateToken()

  const faults = createFaults()
  faults.set(options.faults ?? [])
  const log = createExchangeLog()
  const injection = { faults, log, now }
  at.issuer.mount(withFaults(issuer.handler, { ...injection, findTarget: () => 'issuer' }))
  const entraWithFaults = withFaults(entra, { ...injection, findTarget: findEntraTarget })
  at.entra.mount(
    withControl(entraWithFaults, { faults, log, directory, directorySchema, rotateToken }),
  )

  const clientId = first?.clientId ?? ORDERS.clientId
  return {
    /** Tenant and client id of the directory's first application. Default: orders. */
    tenantId,
    clientId,
    /** The settings of a sidecar that uses this Entra ID. */
    settings: {
      AZURE_TENANT_ID: tenantId,
      AZURE_CLIENT_ID: clientId,
      AZURE_FEDERATED_TOKEN_FILE: tokenFile.path,
      AZURE_AUTHORITY_HOST: at.entra.url,
      WIMDS_CA_FILE: caFile,
    },
    /** Origin of Entra ID (https, no trailing slash): the value for AZURE_AUTHORITY_HOST. */
    authorityHost: at.entra.url,
    /** The CA that issued the servers' certificates, as PEM and as a file. */
    caPem,
    caFile,
    /** The projected token: the value for AZURE_FEDERATED_TOKEN_FILE. */
    tokenFile: tokenFile.path,
    issuer,
    /** The directory of Entra ID. A change applies from the next request on. */
    directory,
    /** Faults of all servers: `simulator.faults.add({ kind: 'throttled', times: 1 })`. */
    faults,
    /** Requests and outcomes of all servers, without tokens. */
    log,
    /** Returns how many exchanges the log has. The attempts of an exchange have one correlation id, and count once. */
    exchanges: () => countExchanges(log.entries()),
    /** An undici dispatcher that reaches the servers without DNS and accepts their certificates. */
    dispatcher,
    /** Signs a new projected token and replaces the file, as the kubelet does. */
    rotateToken,
  }
}

/** Opens the origins of all servers. */
async function openOrigins(origins: Origins, { listen, names = [], tls }: SimulatorOptions) {
  const authority = await createCertificateAuthority({ commonName: 'wimds simulator CA' })
  const own = await authority.issue({
    names: [...new Set([...names, 'localhost', '127.0.0.1', '::1'])],
  })
  const issuer = await origins.open({ tls: own })
  const entra = await origins
    .open({ ...listen, tls: tls ?? own, publicName: names[0] })
    .catch(failToListen)
  return { issuer, entra, caPem: authority.caPem }
}

function failToListen(error: unknown): never {
  const fix = 'choose another address by --listen'
  throw new Error(formatProblem({ problem: errorMessage(error), fix }), { cause: error })
}

const findEntraTarget = (request: Request): FaultTarget =>
  parseTokenRoute(new URL(request.url).pathname) ? 'token' : 'metadata'
