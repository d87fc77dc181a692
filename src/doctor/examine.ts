/** Looks at everything between a configuration and a token, and writes the report. */
import type { Config } from '../config/config.ts'
import { toBrokerError } from '../errors.ts'
import { type Assertion, createAssertionReader } from '../exchange/assertion.ts'
import { findCloud, resolveAuthority } from '../exchange/clouds.ts'
import type { Identity } from '../identities.ts'
import { readWholeFile } from '../lib/files.ts'
import { scopeOf, type TokenSource } from '../tokens/token.ts'
import { VERSION } from '../version.ts'
import { examineAssertion, problemOf } from './assertions.ts'
import { credentialFix } from './credential-fix.ts'
import type { DoctorReport, ExchangeReport, IdentityReport, Setting } from './report.ts'
import { tryWay, type Way } from './way.ts'

interface Examination {
  readonly config: Config
  readonly settings: readonly Setting[]
  /** PEM of WIMDS_CA_FILE. */
  readonly extraCa: string | undefined
  /** Undefined: no trial exchange. */
  readonly exchange: TokenSource | undefined
  readonly skewMs: () => number | undefined
  readonly now: () => number
}

const ANY_RESOURCE = 'https://management.azure.com/'

/** The whole report. Never throws for what it finds; no token and no secret is in it. */
export async function examine(examination: Examination): Promise<DoctorReport> {
  const { config, settings, exchange, skewMs, now } = examination
  const { audience, tokenProxy } = config.exchange
  const { identities } = config.directory
  const read = createAssertionReader(audience === undefined ? {} : { audience })
  const found = await Promise.all(
    config.tokenFiles.map((file) =>
      examineAssertion(file, read, {
        authorityHosts: identities
          .filter(({ tokenFile }) => tokenFile === file)
          .map(({ authorityHost }) => authorityHost),
        hasTokenProxy: tokenProxy !== undefined,
        ...(audience !== undefined && { audience }),
        now: now(),
      }),
    ),
  )
  const assertions = found.map(({ report }) => report)
  const byFile = new Map(config.tokenFiles.map((file, index) => [file, found[index]?.assertion]))
  const ways = await Promise.all((await waysOf(examination)).map(tryWay))
  const exchanges = exchange === undefined ? [] : await trials(identities, exchange, byFile)
  const skew = skewMs()
  return {
    schemaVersion: 1,
    version: VERSION,
    ok:
      assertions.every(({ ok }) => ok) &&
      ways.every(({ steps }) => steps.every(({ ok }) => ok)) &&
      exchanges.every(({ ok }) => ok),
    settings,
    warnings: [...config.warnings, ...identityWarnings(config)],
    identities: identities.map((identity) => identityReport(identity, config)),
    assertions,
    ways,
    ...(skew !== undefined && { clockSkewSeconds: Math.round(skew / 100) / 10 }),
    exchanges,
  }
}

function identityWarnings({ directory }: Config): string[] {
  if (directory.identities.length > 0) return []
  return ['no identity is configured: each request has to name a client_id, and none is tried here']
}

function identityReport(identity: Identity, { directory, identitiesFile }: Config): IdentityReport {
  const { name, clientId, tenantId, authorityHost, tokenFile } = identity
  return {
    name,
    clientId,
    tenantId,
    authorityHost,
    tokenFile,
    isDefault: identity === directory.defaultIdentity || directory.identities.length === 1,
    origin: identitiesFile === undefined ? 'environment' : 'file',
  }
}

/** The token endpoints that the identities use, each once; or the token proxy in their stead. */
async function waysOf({ config, extraCa }: Examination): Promise<Way[]> {
  const { proxy, region, tokenProxy } = config.exchange
  if (tokenProxy !== undefined) {
    const { hostname, port } = new URL(tokenProxy.url)
    const { ca, sniName } = tokenProxy
    const pem =
      ca === undefined
        ? undefined
        : 'pem' in ca
          ? ca.pem
          : await readWholeFile(ca.file).catch(() => '')
    return [
      {
        host: hostname,
        port: port === '' ? 443 : Number(port),
        via: 'token-proxy',
        ...(sniName !== undefined && { serverName: sniName }),
        ...(pem !== undefined && { ca: { pem, isExclusive: true } }),
      },
    ]
  }
  const hosts = config.directory.identities.map(
    ({ authorityHost, tenantId }) => resolveAuthority(authorityHost, tenantId, region).tokenHost,
  )
  return [...new Set(hosts)].map((tokenHost) => {
    const { hostname: host, port } = new URL(`https://${tokenHost}`)
    return {
      host,
      port: port === '' ? 443 : Number(port),
      via: proxy === undefined ? 'direct' : 'proxy',
      ...(extraCa !== undefined && { ca: { pem: extraCa, isExclusive: false } }),
      // Its password goes to the proxy alone.
      ...(proxy !== undefined && {
        proxy,
      }),
    }
  })
}

/** One exchange after the other: this is no load test. */
async function trials(
  identities: readonly Identity[],
  exchange: TokenSource,
  assertions: ReadonlyMap<string, Assertion | undefined>,
): Promise<ExchangeReport[]> {
  const reports: ExchangeReport[] = []
  for (const identity of identities) {
    for (const resource of resourcesOf(identity)) {
      reports.push(await trial(identity, resource, exchange, assertions.get(identity.tokenFile)))
    }
  }
  return reports
}

function resourcesOf({ prefetch, resources = [], authorityHost }: Identity): readonly string[] {
  if (prefetch.length > 0) return prefetch
  const management = findCloud(new URL(authorityHost).hostname)?.managementResource
  return [resources[0] ?? management ?? ANY_RESOURCE]
}

async function trial(
  identity: Identity,
  resource: string,
  exchange: TokenSource,
  assertion: Assertion | undefined,
): Promise<ExchangeReport> {
  const about = { identity: identity.name, clientId: identity.clientId, resource }
  try {
    const { expiresAt } = await exchange({ identity, scope: scopeOf(resource) })
    return { ...about, ok: true, expiresAt: new Date(expiresAt).toISOString() }
  } catch (thrown) {
    const error = toBrokerError(thrown)
    const isTrust =
      error.code === 'federated_credential_not_found' ||
      error.code === 'federated_credential_mismatch'
    return {
      ...about,
      ok: false,
      error: problemOf(error),
      ...(isTrust && assertion !== undefined && { fix: credentialFix(identity, assertion) }),
    }
  }
}
