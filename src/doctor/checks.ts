/** Runs the checks of `wimds doctor`: everything between the configuration and a token. */
import type { Config } from '../config/config.ts'
import { toBrokerError } from '../errors.ts'
import { findAudience, findCloud, formatTokenIssuer } from '../clouds.ts'
import { hasUnexpectedAudience } from '../exchange/assertion.ts'
import { describeSkew, isSkewed, SKEW_FIX } from '../exchange/clock-skew.ts'
import type { Identity } from '../identities.ts'
import { isGuid } from '../lib/guid.ts'
import { toScope, type TokenSource } from '../tokens/token.ts'
import { VERSION } from '../version.ts'
import { checkAssertion } from './assertion-check.ts'
import { checkEndpoint } from './connectivity.ts'
import { createBindingCommands, createCredentialCommands } from './credential-commands.ts'
import { findEndpoints, isViaTokenProxy } from './endpoints.ts'
import { createProblem, toProblem } from './problem.ts'
import type { DoctorReport, ExchangeReport, IdentityReport } from './report.ts'
import { checkRequests } from './requests-check.ts'
import { checkRoute } from './route-check.ts'
import { checkSidecar } from './sidecar-check.ts'
import { isOk, summarizeChecks } from './summary.ts'

type AssertionCheck = Awaited<ReturnType<typeof checkAssertion>>

/** The part of a configuration that leads to the sidecar. */
export type SidecarSettings = Pick<
  Config,
  'listen' | 'adminListen' | 'mode' | 'nodeName' | 'passThrough'
>

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
  const { config, settings, exchange, skewMs, skipSidecar } = options
  const { identities } = config.directory
  const sidecar = skipSidecar ? {} : await checkSidecarAndRoute(config)
  const used = { ...config, directory: { ...config.directory, identities: findUsed(config) } }
  const checks = await checkAssertions(used, options.now())
  const endpoints = await findEndpoints(used, ({ tokenFile }) => checks.get(tokenFile)?.assertion)
  const endpointReports = await Promise.all(endpoints.map(checkEndpoint))
  const exchanges = exchange === undefined ? [] : await attemptExchanges(config, exchange, checks)
  const findings = {
    ...startReport(settings),
    warnings: config.warnings,
    ...sidecar,
    identities: identities.map((identity) => describeIdentity(identity, config)),
    ...(identities.length === 0 && {
      identityError: createProblem(
        'identity_not_found',
        'no identity is configured, so a request without client_id gets no token',
        'set AZURE_CLIENT_ID to the client id of the managed identity or application, or list identities in the file of WIMDS_CONFIG',
      ),
    }),
    assertions: [...checks.values()].map(({ report }) => report),
    endpoints: endpointReports,
    ...reportSkew(skewMs()),
    exchanges,
  }
  return finishReport(findings, { sidecar: skipSidecar, exchange: exchange === undefined })
}

interface InvalidSettings {
  /** One sentence for each problem. */
  readonly problems: readonly string[]
  readonly settings: DoctorReport['settings']
  readonly skipSidecar: boolean
  /** What leads to the sidecar; undefined if that is invalid too. */
  readonly sidecar: SidecarSettings | undefined
}

/** Returns the report for invalid settings: they are a failed check, and those without need of them are made. */
export async function reportInvalidSettings(invalid: InvalidSettings): Promise<DoctorReport> {
  const { problems, settings, sidecar, skipSidecar } = invalid
  const findings = {
    ...startReport(settings),
    problems,
    settingsError: createProblem(
      'settings_invalid',
      `the settings are invalid, and wimds serve does not start with them: ${problems.join('; ')}`,
      settings.every(({ source }) => source === 'default')
        ? 'run doctor where the settings of a sidecar are: in its container, or from here with --pod NAMESPACE/POD. Before an installation, use --pre. docs/configuration.md describes each setting'
        : 'correct the settings that are named; docs/configuration.md describes each',
    ),
    warnings: [],
    ...(sidecar !== undefined && !skipSidecar && (await checkSidecarAndRoute(sidecar))),
    identities: [],
    assertions: [],
    endpoints: [],
    exchanges: [],
  }
  return finishReport(findings, { sidecar: skipSidecar, exchange: false })
}

function startReport(settings: DoctorReport['settings']) {
  return { schemaVersion: 1 as const, version: VERSION, settings }
}

function finishReport(
  findings: Omit<DoctorReport, 'ok' | 'checks'>,
  leftOut: Parameters<typeof summarizeChecks>[1],
): DoctorReport {
  const checks = summarizeChecks(findings, leftOut)
  return { ...findings, ok: isOk({ checks }), checks }
}

async function checkSidecarAndRoute({
  listen,
  adminListen,
  mode,
  nodeName,
  passThrough,
}: SidecarSettings): Promise<Pick<DoctorReport, 'sidecar' | 'admin' | 'route' | 'requests'>> {
  const { instanceId, ...reports } = await checkSidecar(listen, adminListen)
  const hasPassThrough = passThrough.length > 0
  const route = await checkRoute({ mode, nodeName, hasPassThrough, instanceId })
  const requests = await checkRequests(reports.admin)
  return { ...reports, route, requests }
}

function reportSkew(
  skewMs: number | undefined,
): Pick<DoctorReport, 'clockSkewSeconds' | 'clockError'> {
  if (skewMs === undefined) return {}
  const clockSkewSeconds = Math.round(skewMs / 100) / 10
  if (!isSkewed(skewMs)) return { clockSkewSeconds }
  return {
    clockSkewSeconds,
    clockError: createProblem(
      'clock_skew',
      `${describeSkew(skewMs)}, so that ${skewMs > 0 ? 'projected tokens look expired too early' : 'expired projected tokens look valid'}`,
      SKEW_FIX,
    ),
  }
}

/** Any client id: only its tenant, cloud and token file are used. */
const ANY_CLIENT_ID = '00000000-0000-0000-0000-000000000000'

/**
 * Returns the identities whose token and endpoint are checked. Without one, a request may name any client id: then
 * it is that of such a request.
 */
function findUsed({ directory: { identities, unlisted } }: Config): readonly Identity[] {
  return identities.length === 0 && unlisted !== undefined ? [unlisted(ANY_CLIENT_ID)] : identities
}

async function checkAssertions(
  config: Config,
  now: number,
): Promise<ReadonlyMap<string, AssertionCheck>> {
  const { audience } = config.exchange
  const checks = config.tokenFiles.map(async (file) => {
    const identities = config.directory.identities.filter(({ tokenFile }) => tokenFile === file)
    const check = await checkAssertion(file, {
      authorityHosts: identities.map(({ authorityHost }) => authorityHost),
      isForTokenProxy: (assertion) =>
        identities.some((identity) => isViaTokenProxy(identity, config.exchange, assertion)),
      ...(audience !== undefined && { audience }),
      now,
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
      const base = { identity: identity.name, clientId: identity.clientId, resource }
      const notChecked = findReasonNotToExchange(identity, check)
      if (notChecked !== undefined) {
        reports.push({ ...base, ok: false, notChecked })
        continue
      }
      const outcome = await attemptExchange(identity, resource, exchange)
      const isSourceFailing = reports.some(
        (each) => each.identity === identity.assertionFrom?.name && !each.ok,
      )
      const commands = isSourceFailing ? {} : createCommands(outcome, identity, config, check)
      reports.push({ ...base, ...outcome, ...commands })
    }
  }
  return reports
}

/**
 * Returns why an exchange would only repeat the failure of its projected token, perhaps under another name. A
 * token that is expired by the local clock is sent: Entra ID decides.
 */
function findReasonNotToExchange(
  { tokenFile }: Identity,
  check: AssertionCheck | undefined,
): string | undefined {
  const error = check?.report.error
  if (error === undefined || error.code === 'assertion_expired') return undefined
  return `the projected token ${tokenFile} fails (${error.code})`
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
): Promise<Pick<ExchangeReport, 'ok' | 'expiresAt' | 'error'>> {
  try {
    const { expiresAt } = await exchange({ identity, scope: toScope(resource) })
    return { ok: true, expiresAt: new Date(expiresAt).toISOString() }
  } catch (error) {
    return { ok: false, error: toProblem(toBrokerError(error)) }
  }
}

const CREDENTIAL_CODES = new Set([
  'federated_credential_not_found',
  'federated_credential_mismatch',
  'token_proxy_forbidden',
])

/**
 * Returns the commands that fix a failed exchange; none for an assertion that no credential could fix, or whose
 * audience is probably the mistake.
 */
function createCommands(
  { error }: Pick<ExchangeReport, 'error'>,
  identity: Identity,
  { exchange }: Config,
  check: AssertionCheck | undefined,
): Pick<ExchangeReport, 'commands' | 'bindingCommands'> {
  const assertion = check?.report.ok === true ? check.assertion : undefined
  if (assertion === undefined || !CREDENTIAL_CODES.has(error?.code ?? '')) return {}
  const { assertionFrom } = identity
  if (assertionFrom === undefined && isViaTokenProxy(identity, exchange, assertion)) {
    return { bindingCommands: createBindingCommands(identity, assertion) }
  }
  const claims = assertionFrom === undefined ? assertion : describeToken(assertionFrom)
  if (exchange.audience === undefined && hasUnexpectedAudience(claims)) return {}
  const commands = createCredentialCommands(identity, claims)
  return commands === undefined ? {} : { commands }
}

/** Returns the claims of a managed identity's token as the assertion of a chained identity (E10). */
function describeToken({ authorityHost, tenantId, objectId }: Identity) {
  return {
    issuer: formatTokenIssuer(authorityHost, isGuid(tenantId) ? tenantId : 'TENANT_ID'),
    subject: objectId ?? 'OBJECT_ID',
    audience: [findAudience(authorityHost)],
  }
}
