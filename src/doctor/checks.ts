/** Runs the checks of `wimds doctor`: everything between the configuration and a token. */
import type { Config } from '../config/config.ts'
import { toBrokerError } from '../errors.ts'
import { findAudience, findCloud, resolveAuthority } from '../exchange/clouds.ts'
import type { Identity } from '../identities.ts'
import { toScope, type TokenSource } from '../tokens/token.ts'
import { VERSION } from '../version.ts'
import { checkAssertion } from './assertion-check.ts'
import { checkEndpoint } from './connectivity.ts'
import { createBindingCommands, createCredentialCommands } from './credential-commands.ts'
import { findEndpoints, isViaTokenProxy } from './endpoints.ts'
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
  const checks = await checkAssertions(options)
  const endpoints = await findEndpoints(config, ({ tokenFile }) => checks.get(tokenFile)?.assertion)
  const endpointReports = await Promise.all(endpoints.map(checkEndpoint))
  const exchanges = exchange === undefined ? [] : await attemptExchanges(config, exchange, checks)
  const skew = skewMs()
  const assertions = [...checks.values()].map(({ report }) => report)
  return {
    schemaVersion: 1,
    version: VERSION,
    ok:
      identities.length > 0 &&
      [sidecar ?? [], assertions, endpointReports, exchanges].flat().every(({ ok }) => ok),
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
    endpoints: endpointReports,
    ...(skew !== undefined && { clockSkewSeconds: Math.round(skew / 100) / 10 }),
    exchanges,
  }
}

async function checkAssertions({
  config,
  now,
}: CheckOptions): Promise<ReadonlyMap<string, AssertionCheck>> {
  const { audience } = config.exchange
  const checks = config.tokenFiles.map(async (file) => {
    const identities = config.directory.identities.filter(({ tokenFile }) => tokenFile === file)
    const check = await checkAssertion(file, {
      authorityHosts: identities.map(({ authorityHost }) => authorityHost),
      isForTokenProxy: (assertion) =>
        identities.some((identity) => isViaTokenProxy(identity, config.exchange, assertion)),
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

/** Attempts one exchange after the other: this is not a load test. */
async function attemptExchanges(
  config: Config,
  exchange: TokenSource,
  checks: ReadonlyMap<string, AssertionCheck>,
): Promise<ExchangeReport[]> {
  const reports: ExchangeReport[] = []
  for (const identity of config.directory.identities) {
    const check = checks.get(identity.tokenFile)
    for (const resource of findResources(identity)) {
      const report = await attemptExchange(identity, resource, exchange)
      const isSourceFailing = reports.some(
        (each) => each.identity === identity.assertionFrom?.name && !each.ok,
      )
      const commands = isSourceFailing ? {} : createCommands(report, identity, config, check)
      reports.push({ ...report, ...commands })
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
): Promise<ExchangeReport> {
  const base = { identity: identity.name, clientId: identity.clientId, resource }
  try {
    const { expiresAt } = await exchange({ identity, scope: toScope(resource) })
    return { ...base, ok: true, expiresAt: new Date(expiresAt).toISOString() }
  } catch (error) {
    return { ...base, ok: false, error: toProblem(toBrokerError(error)) }
  }
}

const CREDENTIAL_CODES = new Set([
  'federated_credential_not_found',
  'federated_credential_mismatch',
  'token_proxy_forbidden',
])

/** Returns the commands that fix a failed exchange; none for an assertion that no credential could fix. */
function createCommands(
  { error }: ExchangeReport,
  identity: Identity,
  { exchange }: Config,
  check: AssertionCheck | undefined,
): Pick<ExchangeReport, 'commands' | 'bindingCommands'> {
  const assertion = check?.report.ok === true ? check.assertion : undefined
  if (assertion === undefined || !CREDENTIAL_CODES.has(error?.code ?? '')) return {}
  const { assertionFrom } = identity
  if (assertionFrom !== undefined) {
    return { commands: createCredentialCommands(identity, describeToken(assertionFrom)) }
  }
  return isViaTokenProxy(identity, exchange, assertion)
    ? { bindingCommands: createBindingCommands(identity, assertion) }
    : { commands: createCredentialCommands(identity, assertion) }
}

/** Returns the claims of a managed identity's token as the assertion of a chained identity (E10). */
function describeToken({ authorityHost, tenantId, objectId }: Identity) {
  return {
    issuer: `${resolveAuthority(authorityHost, tenantId).url}/v2.0`,
    subject: objectId ?? 'OBJECT_ID',
    audience: [findAudience(authorityHost)],
  }
}
