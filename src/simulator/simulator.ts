/** A whole simulated world: cluster issuer, Entra, vault and a pod's token file, ready to use. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Dispatcher } from 'undici'
import { withControl } from './control/control.ts'
import { DirectorySchema, type Directory } from './entra/directory.ts'
import { createEntra } from './entra/entra.ts'
import { createExchangeLog, type ExchangeLog } from './control/exchange-log.ts'
import { createFaults, type Faults, type FaultTarget } from './faults/faults.ts'
import { withFaults } from './faults/inject-faults.ts'
import type { FetchText } from './entra/issuer-keys.ts'
import { createIssuer, type ClusterIssuer, type ProjectedTokenClaims } from './issuer/issuer.ts'
import { inMemoryFetch, outboundFetch } from './http/fetch-text.ts'
import { projectedTokenFile } from './issuer/projected-token-file.ts'
import { createSites, type Sites } from './http/origins.ts'
import type { TokenProxySite } from './token-proxy.ts'
import { tokenRoute } from './entra/token-request.ts'
import { createVault, type VaultSecret } from './vault/vault.ts'
import { DEFAULT_SECRETS, defaultDirectory, ORDERS, TENANT_ID } from './defaults.ts'
import type { SimulatorOptions } from './options.ts'
import { openWorldSites } from './open-origins.ts'

export interface Simulator extends AsyncDisposable {
  /** Tenant and client id of the directory's first application: by default, orders. */
  readonly tenantId: string
  readonly clientId: string
  /** Origin of Entra (https, no trailing slash): the value for AZURE_AUTHORITY_HOST. */
  readonly authorityHost: string
  /** Origin of the vault. */
  readonly vaultUrl: string
  /** The token proxy of the cluster's identity bindings, if the world has one. */
  readonly tokenProxy: TokenProxySite | undefined
  /** The authority that signed the servers' certificates, as PEM and as a file. */
  readonly caPem: string
  readonly caFile: string
  /** The projected token: the value for AZURE_FEDERATED_TOKEN_FILE. */
  readonly tokenFile: string
  readonly issuer: ClusterIssuer
  /** What Entra knows. Change it, as an administrator would: it holds from the next request on. */
  readonly directory: Directory
  readonly secrets: Map<string, VaultSecret>
  /** Faults of all servers: `world.faults.add({ kind: 'throttled', times: 1 })`. */
  readonly faults: Faults
  /** What the servers were asked, without tokens. */
  readonly log: ExchangeLog
  /** Requests that reached Entra's token endpoint since the last `log.clear()`. */
  exchanges(): number
  /** An undici dispatcher that calls the servers directly; it works with ports, too. */
  readonly dispatcher: Dispatcher
  /** Signs a new projected token and swaps the file, as the kubelet does. */
  rotateToken(claims?: ProjectedTokenClaims): Promise<void>
  /** Swaps the file for any text: an empty, cut off or foreign one. */
  writeToken(text: string): Promise<void>
  /** Ends all servers and their connections. Safe to call twice. */
  close(): Promise<void>
}

type Closer = () => Promise<void>

/**
 * Builds a world, writes its files and a first token that is valid for an hour. It reaches nothing
 * but its own servers and `externalIssuers`. Use it with `await using`, or call `close`.
 */
export async function createSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const sites = createSites(options.ports ?? true)
  const closers: Closer[] = [() => sites.close()]
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer()
  }
  try {
    return await build(options, sites, closers, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function build(
  options: SimulatorOptions,
  sites: Sites,
  closers: Closer[],
  close: Closer,
): Promise<Simulator> {
  const { now = Date.now } = options
  const stateDir = await stateDirectory(options, closers)
  const { caPem, dispatcher, tokenProxy, ...at } = await openWorldSites(sites, options)
  const caFile = join(stateDir, 'ca.crt')
  await writeFile(caFile, caPem)

  const issuer = await createIssuer({ issuer: at.issuer.url, now })
  const directory = DirectorySchema.parse((options.directory ?? defaultDirectory)(issuer.issuer))
  const [first] = directory.applications
  const tenantId = first?.tenantId ?? directory.tenants[0]?.id ?? TENANT_ID
  const inMemory = inMemoryFetch(sites.inMemory)
  const entra = await createEntra({
    ...options,
    directory,
    fetchText: options.ports === false ? inMemory : overTls(caPem, closers),
    now,
  })
  const secrets = new Map(Object.entries(options.secrets ?? DEFAULT_SECRETS))
  const vault = createVault({
    secrets,
    tenantId,
    authorityHost: at.entra.url,
    fetchText: inMemory,
    now,
  })

  const tokenFile = projectedTokenFile({ directory: join(stateDir, 'token'), now })
  const rotateToken = async (claims: ProjectedTokenClaims = {}): Promise<void> =>
    tokenFile.write(await issuer.sign({ ...options.projectedToken, ...claims }))
  await rotateToken()

  const faults = createFaults(now)
  const log = createExchangeLog()
  const injection = { ...options, faults, log, now }
  at.issuer.mount(withFaults(issuer.handler, { ...injection, targetOf: () => 'issuer' }))
  at.vault.mount(withFaults(vault, { ...injection, targetOf: () => 'vault' }))
  const entraWithFaults = withFaults(entra, { ...injection, targetOf: entraTarget })
  at.entra.mount(withControl(entraWithFaults, { faults, log, directory, issuer, rotateToken }))

  return {
    tenantId,
    clientId: first?.clientId ?? ORDERS.clientId,
    authorityHost: at.entra.url,
    vaultUrl: at.vault.url,
    tokenProxy,
    caPem,
    caFile,
    tokenFile: tokenFile.path,
    issuer,
    directory,
    secrets,
    faults,
    log,
    exchanges: () => log.counters().byTarget.token,
    dispatcher,
    rotateToken,
    writeToken: (text) => tokenFile.writeText(text),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The given directory, else a temporary one, which is the last thing to go at the close. */
async function stateDirectory({ stateDir }: SimulatorOptions, closers: Closer[]): Promise<string> {
  if (stateDir === undefined) {
    const temporary = await mkdtemp(join(tmpdir(), 'wimds-world-'))
    closers.unshift(() => rm(temporary, { recursive: true, force: true }))
    return temporary
  }
  await mkdir(stateDir, { recursive: true })
  return stateDir
}

function overTls(caPem: string, closers: Closer[]): FetchText {
  const outbound = outboundFetch({ caPem })
  closers.push(() => outbound.close())
  return (url) => outbound.fetchText(url)
}

const entraTarget = (request: Request): FaultTarget =>
  tokenRoute(new URL(request.url).pathname) ? 'token' : 'metadata'
