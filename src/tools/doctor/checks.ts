/** Runs the checks of `wimds doctor`: everything between the configuration and a token. */
import type { Config } from '../../sidecar/config/config.ts'
import { type BrokerError, toBrokerError } from '../../lib/errors.ts'
import { findCloud } from '../../lib/clouds.ts'
import { hasUnexpectedAudience } from '../../sidecar/exchange/assertion.ts'
import { systemClock } from '../../sidecar/tokens/clock.ts'
import { toWallTimes } from '../../sidecar/tokens/lifetime.ts'
import { describeSkew, isSkewed, SKEW_FIX } from '../../sidecar/exchange/clock-skew.ts'
import { type Identity, WITHOUT_IDENTITY } from '../../sidecar/identities.ts'
import { toScope, type TokenSource } from '../../sidecar/tokens/token.ts'
import { VERSION } from '../../lib/version.ts'
import { checkAssertion } from './assertion-check.ts'
import { checkEndpoint } from './connectivity.ts'
import {
  createBindingCommands,
  createCredentialCommands,
} from '../../sidecar/exchange/credential-commands.ts'
import { findEndpoints, isViaTokenProxy } from './endpoints.ts'
import { toOutcome } from './findings.ts'
import { createFailure, toFailure } from './failure.ts'
import type {
  CheckSummary,
  ClockReport,
  DoctorReport,
  ExchangeReport,
  Failure,
  IdentityReport,
  Outcome,
} from './doctor-report.ts'
import { checkRequests } from './requests-check.ts'
import { checkRoute } from './route-check.ts'
import { checkSidecar } from './sidecar-check.ts'
import {
  isOk,
  type SidecarSections,
  summarize,
  summarizeFederation,
  summarizeSidecar,
} from './summary.ts'

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

const SKIPPED: Outcome = { status: 'skipped' }
const NO_IDENTITY: Outcome = { status: 'not_checked', reason: 'no identity is configured' }
const SETTINGS_INVALID: Outcome = { status: 'not_checked', reason: 'the settings are invalid' }
const NEEDS_SETTINGS = [
  'identity',
  'projected_token',
  'connectivity',
  'clock',
  'token_exchange',
] as const

/** Returns the report, which contains no secret. A check that fails is reported, not thrown. */
export async function runChecks(options: CheckOptions): Promise<DoctorReport> {
  const { config, settings, exchange, skewMs, skipSidecar } = options
  const { identities } = config.directory
  const sidecar = skipSidecar ? undefined : await checkSidecarAndRoute(config)
  const used = { ...config, directory: { ...config.directory, identities: findUsed(config) } }
  const checks = await checkAssertions(used, options.now())
  const endpoints = await findEndpoints(used, ({ tokenFile }) => checks.get(tokenFile)?.assertion)
  const federation = {
    identities: identities.map((identity) => describeIdentity(identity, config)),
    ...(identities.length === 0 && {
      identityFailure: createFailure(
        'identity_not_found',
        WITHOUT_IDENTITY.problem,
        WITHOUT_IDENTITY.fix,
      ),
    }),
    assertions: [...checks.values()].map(({ report }) => report),
    endpoints: await Promise.all(endpoints.map(checkEndpoint)),
    exchanges:
      exchange === undefined ? [] : await attemptExchanges(config, exchange, checks, skewMs),
    clock: exchange === undefined ? SKIPPED : checkClock(skewMs),
  }
  return createReport({ settings, warnings: config.warnings, ...sidecar, ...federation }, [
    { check: 'settings', status: 'ok' },
    ...summarizeSidecar(sidecar ?? SKIPPED),
    ...summarizeFederation(federation, exchange === undefined ? SKIPPED : NO_IDENTITY),
  ])
}

interface InvalidSettings {
  /** One sentence for each problem. */
  readonly problems: readonly string[]
  readonly settings: DoctorReport['settings']
  readonly skipSidecar: boolean
  /** The settings that lead to the sidecar; undefined if they are invalid too. */
  readonly sidecar: SidecarSettings | undefined
}

/** Returns the report for invalid settings: they are a failed check, and those without need of them are made. */
export async function reportInvalidSettings(invalid: InvalidSettings): Promise<DoctorReport> {
  const { problems, settings, skipSidecar } = invalid
  const sidecar =
    invalid.sidecar === undefined || skipSidecar
      ? undefined
      : await checkSidecarAndRoute(invalid.sidecar)
  const settingsFailure = createFailure(
    'settings_invalid',
    `the settings are invalid, and wimds serve does not start with them: ${problems.join('; ')}`,
    settings.every(({ source }) => source === 'default')
      ? 'run doctor where the settings of a sidecar are: in its container, or from here with --pod NAMESPACE/POD. Before an installation, use --pre. docs/configuration.md describes each setting'
      : 'correct the settings that are named; docs/configuration.md describes each',
  )
  const none = { warnings: [], identities: [], assertions: [], endpoints: [], exchanges: [] }
  return createReport({ settings, problems, settingsFailure, ...sidecar, ...none }, [
    summarize('settings', toOutcome(settingsFailure)),
    ...summarizeSidecar(sidecar ?? (skipSidecar ? SKIPPED : SETTINGS_INVALID)),
    ...NEEDS_SETTINGS.map((check) => summarize(check, SETTINGS_INVALID)),
  ])
}

function createReport(
  sections: Omit<DoctorReport, 'schemaVersion' | 'version' | 'ok' | 'checks'>,
  checks: readonly CheckSummary[],
): DoctorReport {
  return { schemaVersion: 1, version: VERSION, ok: isOk({ checks }), checks, ...sections }
}

async function checkSidecarAndRoute({
  listen,
  adminListen,
  mode,
  nodeName,
  passThrough,
}: SidecarSettings): Promise<SidecarSections> {
  const { instanceId, ...reports } = await checkSidecar(listen, adminListen)
  const hasPassThrough = passThrough.length > 0
  const route = await checkRoute({ mode, nodeName, hasPassThrough, instanceId })
  const requests = await checkRequests(reports.admin, adminListen)
  return { ...reports, route, requests }
}

function checkClock(getSkewMs: CheckOptions['skewMs']): ClockReport {
  const skewMs = getSkewMs()
  if (skewMs === undefined) {
    return { status: 'not_checked', reason: 'Entra ID did not answer an exchange' }
  }
  const failure = isSkewed(skewMs)
    ? createFailure(
        'clock_skew',
        `${describeSkew(skewMs)}, so that ${skewMs > 0 ? 'projected tokens look expired too early' : 'expired projected tokens look valid'}`,
        SKEW_FIX,
      )
    : undefined
  return { ...toOutcome(failure), skewSeconds: Math.round(skewMs / 100) / 10 }
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
    isDefault: identity === directory.defaultIdentity,
    source: identitiesFile === undefined ? 'environment' : 'file',
  }
}

/** Attempts one exchange after the other: this is not a load test. */
async function attemptExchanges(
  config: Config,
  exchange: TokenSource,
  checks: ReadonlyMap<string, AssertionCheck>,
  getSkewMs: CheckOptions['skewMs'],
): Promise<ExchangeReport[]> {
  const reports: ExchangeReport[] = []
  for (const identity of config.directory.identities) {
    const check = checks.get(identity.tokenFile)
    for (const resource of findResources(identity)) {
      const base = { identity: identity.name, clientId: identity.clientId, resource }
      const tokenFailure = check?.report.failure
      // A token that has expired by the local clock is sent: that clock may be the wrong one.
      const attempt =
        tokenFailure === undefined || tokenFailure.code === 'assertion_expired'
          ? await attemptExchange(identity, resource, exchange)
          : undefined
      if (attempt === undefined || isOfExpiredToken(attempt.outcome, tokenFailure, getSkewMs())) {
        const reason = `the projected token ${identity.tokenFile} fails (${tokenFailure?.code})`
        reports.push({ ...base, status: 'not_checked', reason })
        continue
      }
      const { outcome, error } = attempt
      reports.push({ ...base, ...outcome, ...createCommands(error, identity, config, check) })
    }
  }
  return reports
}

/**
 * Returns true if a rejection only repeats, perhaps under another name, that the projected token has expired by a
 * clock that is right: the claims of such a token may be out of date.
 */
function isOfExpiredToken(
  { failure }: Pick<ExchangeReport, 'failure'>,
  tokenFailure: Failure | undefined,
  skewMs: number | undefined,
): boolean {
  const isClockRight = skewMs !== undefined && !isSkewed(skewMs)
  const isOfToken = /^(?:assertion|federated_credential|issuer)_/.test(failure?.code ?? '')
  return tokenFailure !== undefined && isClockRight && isOfToken
}

/** Returns the resources to prefetch, or else one that the identity may request. */
function findResources({ prefetch, resources = [], authorityHost }: Identity): readonly string[] {
  if (prefetch.length > 0) return prefetch
  const management = findCloud(new URL(authorityHost).hostname)?.managementResource
  return [resources[0] ?? management ?? DEFAULT_RESOURCE]
}

interface Attempt {
  readonly outcome: Pick<ExchangeReport, 'status' | 'expiresAt' | 'failure'>
  readonly error?: BrokerError
}

async function attemptExchange(
  identity: Identity,
  resource: string,
  exchange: TokenSource,
): Promise<Attempt> {
  try {
    const { lifetime } = await exchange({ identity, scope: toScope(resource) })
    const { expiresAt } = toWallTimes(lifetime, systemClock)
    return { outcome: { status: 'ok', expiresAt: new Date(expiresAt).toISOString() } }
  } catch (thrown) {
    const error = toBrokerError(thrown)
    return { outcome: toOutcome(toFailure(error)), error }
  }
}

const CREDENTIAL_CODES = new Set([
  'federated_credential_not_found',
  'federated_credential_mismatch',
  'token_proxy_forbidden',
])

/**
 * Returns the commands that fix a failed exchange; none for an assertion that no credential could fix, or whose
 * audience is probably the mistake. A chained identity needs a credential for its managed identity's token, and none
 * if that identity failed.
 */
function createCommands(
  error: BrokerError | undefined,
  identity: Identity,
  { exchange }: Config,
  check: AssertionCheck | undefined,
): Pick<ExchangeReport, 'commands' | 'bindingCommands'> {
  const assertion = check?.report.status === 'ok' ? check.assertion : undefined
  if (assertion === undefined || !CREDENTIAL_CODES.has(error?.code ?? '')) return {}
  const claims = error?.assertion ?? assertion
  if (identity.assertionFrom === undefined) {
    if (isViaTokenProxy(identity, exchange, assertion)) {
      return { bindingCommands: createBindingCommands(identity, assertion) }
    }
  } else if (claims.subject === assertion.subject) return {}
  if (exchange.audience === undefined && hasUnexpectedAudience(claims)) return {}
  const commands = createCredentialCommands(identity, claims)
  return commands === undefined ? {} : { commands }
}
