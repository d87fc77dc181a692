/** Runs the checks of `wimds doctor`: everything between the configuration and a token. */
import type { Config } from '../config/config.ts'
import { toBrokerError } from '../errors.ts'
import { findCloud, resolveAuthority } from '../exchange/clouds.ts'
import type { Identity } from '../identities.ts'
import { readWholeFile } from '../lib/files.ts'
import { toScope, type TokenSource } from '../tokens/token.ts'
import { VERSION } from '../version.ts'
import { checkAssertion } from './assertion-check.ts'
import { checkEndpoint, type Endpoint } from './connectivity.ts'
import { createCredentialCommands } from './credential-commands.ts'
import { createProblem, toProblem } from './problem.ts'
import type { DoctorReport, ExchangeReport, IdentityReport } from './report.ts'
import { checkSidecar } from './sidecar-check.ts'

type AssertionCheck = Awaited<ReturnType<typeof checkAssertion>>

interface CheckOptions {
  readonly config: Config
  readonly settings: DoctorReport['settings']
  readonly skipSidecar: boolean
  /** Undefined: no exchange is attempted. */
  readonly exchange: TokenSource | undefined
  readonly skewMs: () => number | undefined
  readonly now: () => number
}

const DEFAULT_RESOURCE = 'https://management.azure.com/'

/** Returns the report, which contains no secret. A check that fails is reported, not thrown. */
export async function runChecks(options: CheckOptions): Promise<DoctorReport> {
  const { config, settings, exchange, skewMs } = options
  const { identities } = config.directory
  const [address] = options.skipSidecar ? [] : config.listen
  const sidecar = address === undefined ? undefined : await checkSidecar(address)
  const assertionChecks = await checkAssertions(options)
  const endpoints = await Promise.all((await findEndpoints(options)).map(checkEndpoint))
  const exchanges =
    exchange === undefined ? [] : await attemptExchanges(identities, exchange, assertionChecks)
  const skew = skewMs()
  const assertions = [...assertionChecks.values()].map(({ report }) => report)
  return {
    schemaVersion: 1,
    version: VERSION,
    ok:
      identities.length > 0 &&
      [sidecar ?? [], assertions, endpoints, exchanges].flat().every(({ ok }) => ok),
    settings,
    warnings: config.warnings,
    ...(sidecar !== undefined && { sidecar }),
    identities: identities.map((identity) => describeIdentity(identity, config)),
    ...(identities.length === 0 && {
      identityError: createProblem(
        'identity_not_found',
        'no identity is configured, so a request without client_id gets no token',
        'set AZURE_CLIENT_ID to the client id of the managed identity or application, or list identities in the file of WIMDS_CONFIG',
      ),
    }),
    assertions,
    endpoints,
    ...(skew !== undefined && { clockSkewSeconds: Math.round(skew / 100) / 10 }),
    exchanges,
  }
}

async function checkAssertions({
  config,
  now,
}: CheckOptions): Promise<ReadonlyMap<string, AssertionCheck>> {
  const { audience, tokenProxy } = config.exchange
  const checks = config.tokenFiles.map(async (file) => {
    const authorityHosts = config.directory.identities
      .filter(({ tokenFile }) => tokenFile === file)
      .map(({ authorityHost }) => authorityHost)
    const check = await checkAssertion(file, {
      authorityHosts,
      hasTokenProxy: tokenProxy !== undefined,
      ...(audience !== undefined && { audience }),
      now: now(),
    })
    return [file, check] as const
  })
  return new Map(await Promise.all(checks))
}

function describeIdentity(
  identity: Identity,
  { directory, identitiesFile }: Config,
): IdentityReport {
  const { name, clientId, tenantId, authorityHost, tokenFile } = identity
  return {
    name,
    clientId,
    tenantId,
    authorityHost,
    tokenFile,
    isDefault: identity === directory.defaultIdentity || directory.identities.length === 1,
    source: identitiesFile === undefined ? 'environment' : 'file',
  }
}

/** Returns the distinct token endpoints of the identities, or the token proxy if there is one. */
async function findEndpoints({ config }: CheckOptions): Promise<Endpoint[]> {
  const { proxy, region, tokenProxy, extraCa } = config.exchange
  if (tokenProxy !== undefined) return [await createTokenProxyEndpoint(tokenProxy)]
  const tokenHosts = config.directory.identities.map(
    ({ authorityHost, tenantId }) => resolveAuthority(authorityHost, tenantId, region).tokenHost,
  )
  return [...new Set(tokenHosts)].map((tokenHost) => ({
    ...splitHost(new URL(`https://${tokenHost}`)),
    isTokenProxy: false,
    ...(extraCa !== undefined && { ca: { pem: extraCa, isExclusive: false } }),
    ...(proxy !== undefined && { proxy }),
  }))
}

async function createTokenProxyEndpoint({
  url,
  ca,
  sniName,
}: NonNullable<Config['exchange']['tokenProxy']>): Promise<Endpoint> {
  return {
    ...splitHost(new URL(url)),
    isTokenProxy: true,
    ...(sniName !== undefined && { serverName: sniName }),
    ...(ca !== undefined && {
      ca: {
        // An unreadable file trusts no certificate, as in an exchange.
        pem: 'pem' in ca ? ca.pem : await readWholeFile(ca.file).catch(() => ''),
        isExclusive: true,
      },
    }),
  }
}

function splitHost({ hostname: host, port }: URL): { host: string; port: number } {
  return { host, port: port === '' ? 443 : Number(port) }
}

/** Attempts one exchange after the other: this is not a load test. */
async function attemptExchanges(
  identities: readonly Identity[],
  exchange: TokenSource,
  assertions: ReadonlyMap<string, AssertionCheck>,
): Promise<ExchangeReport[]> {
  const reports: ExchangeReport[] = []
  for (const identity of identities) {
    for (const resource of findResources(identity)) {
      const assertion = assertions.get(identity.tokenFile)
      reports.push(await attemptExchange(identity, resource, exchange, assertion))
    }
  }
  return reports
}

/** Returns the resources to prefetch, or else one that the identity may request. */
function findResources({ prefetch, resources = [], authorityHost }: Identity): readonly string[] {
  if (prefetch.length > 0) return prefetch
  const management = findCloud(new URL(authorityHost).hostname)?.managementResource
  return [resources[0] ?? management ?? DEFAULT_RESOURCE]
}

async function attemptExchange(
  identity: Identity,
  resource: string,
  exchange: TokenSource,
  check: AssertionCheck | undefined,
): Promise<ExchangeReport> {
  const base = { identity: identity.name, clientId: identity.clientId, resource }
  try {
    const { expiresAt } = await exchange({ identity, scope: toScope(resource) })
    return { ...base, ok: true, expiresAt: new Date(expiresAt).toISOString() }
  } catch (thrown) {
    const error = toBrokerError(thrown)
    const { code } = error
    const needsCredential =
      code === 'federated_credential_not_found' || code === 'federated_credential_mismatch'
    return {
      ...base,
      ok: false,
      error: toProblem(error),
      // A credential for a token that Entra ID cannot accept would be of no use.
      ...(needsCredential &&
        check?.assertion !== undefined &&
        check.report.ok && { commands: createCredentialCommands(identity, check.assertion) }),
    }
  }
}
