/** Runs the checks of `wimds doctor`: everything between the configuration and a token. */
import type { Config } from '../../sidecar/config/config.ts'
import { type BrokerError, toBrokerError } from '../../lib/errors.ts'
import { findCloud } from '../../lib/clouds.ts'
import { hasUnexpectedAudience } from '../../sidecar/exchange/assertion.ts'
import { systemClock } from '../../sidecar/tokens/clock.ts'
import { toWallTimes } from '../../sidecar/tokens/lifetime.ts'
import {
  describeSkew,
  isSkewed,
  SKEW_FIX,
  WARN_SKEW_MS,
} from '../../sidecar/exchange/clock-skew.ts'
import { type Identity, WITHOUT_IDENTITY } from '../../sidecar/identities.ts'
import { toScope, type TokenSource } from '../../sidecar/tokens/token.ts'
import { checkAssertion } from './assertion-check.ts'
import { checkEndpoint } from './connectivity.ts'
import {
  createBindingCommands,
  createCredentialCommands,
} from '../../sidecar/exchange/credential-commands.ts'
import { findEndpoints, isViaTokenProxy } from './endpoints.ts'
import { failed, notChecked, passed, skipped } from './findings.ts'
import { createFailure, toFailure } from './failure.ts'
import {
  type CheckName,
  createReport,
  type DoctorReport,
  type Failure,
  type Finding,
} from './doctor-report.ts'
import { checkRequests } from './requests-check.ts'
import { checkRoute } from './route-check.ts'
import { checkSidecar } from './sidecar-check.ts'

type AssertionCheck = Awaited<ReturnType<typeof checkAssertion>>

/** The part of a configuration that leads to the sidecar. */
export type SidecarSettings = Pick<
  Config,
  'listen' | 'adminListen' | 'mode' | 'nodeName' | 'passThrough'
>

interface CheckOptions {
  readonly config: Config
  readonly settings: NonNullable<DoctorReport['settings']>
  readonly skipSidecar: boolean
  /** Undefined: no exchange is attempted. */
  readonly exchange: TokenSource | undefined
  readonly skewMs: () => number | undefined
  readonly now: () => number
}

const DEFAULT_RESOURCE = 'https://management.azure.com/'

const SIDECAR_CHECKS = ['sidecar', 'admin_port', 'route'] as const
const FEDERATION_CHECKS = ['identity', 'projected_token', 'connectivity'] as const
const EXCHANGE_CHECKS = ['clock', 'token_exchange'] as const

/** Returns the report, which contains no secret. A check that fails is reported, not thrown. */
export async function runChecks(options: CheckOptions): Promise<DoctorReport> {
  const { config, settings, exchange, skewMs, skipSidecar } = options
  const sidecar = skipSidecar ? undefined : await checkSidecarAndRoute(config)
  const used = { ...config, directory: { ...config.directory, identities: findUsed(config) } }
  const assertions = await checkAssertions(used, options.now())
  const endpoints = await findEndpoints(
    used,
    ({ tokenFile }) => assertions.get(tokenFile)?.assertion,
  )
  const connections = await Promise.all(endpoints.map(checkEndpoint))
  const exchanges =
    exchange === undefined
      ? EXCHANGE_CHECKS.map(skipped)
      : await checkExchanges(config, exchange, assertions, skewMs)
  const { warnings } = config
  return createReport({
    settings,
    checks: [
      { ...passed('settings'), ...(warnings.length > 0 && { warnings: [...warnings] }) },
      ...(sidecar?.ports ?? SIDECAR_CHECKS.map(skipped)),
      ...describeIdentities(config),
      ...[...assertions.values()].map(({ finding }) => finding),
      ...connections,
      ...exchanges,
      ...(sidecar?.requests ?? [skipped('requests')]),
    ],
  })
}

interface InvalidSettings extends Pick<CheckOptions, 'settings' | 'skipSidecar'> {
  /** One sentence for each problem. */
  readonly problems: readonly string[]
  /** The settings that lead to the sidecar; undefined if they are invalid too. */
  readonly sidecar: SidecarSettings | undefined
}

function leaveOut(check: CheckName): Finding {
  return notChecked(check, 'the settings are invalid')
}

/** Returns the report for invalid settings: they are a failed check, and those without need of them are made. */
export async function reportInvalidSettings(invalid: InvalidSettings): Promise<DoctorReport> {
  const { problems, settings, skipSidecar } = invalid
  const sidecar =
    invalid.sidecar === undefined || skipSidecar
      ? undefined
      : await checkSidecarAndRoute(invalid.sidecar)
  const failure = createFailure(
    'settings_invalid',
    'wimds serve does not start with these settings',
    settings.every(({ source }) => source === 'default')
      ? 'run doctor where the settings of a sidecar are: in its container, or from here with --pod NAMESPACE/POD. Before an installation, use --pre. docs/configuration.md describes each setting'
      : 'correct the settings that are named; docs/configuration.md describes each',
  )
  const leaveOutSidecar = skipSidecar ? skipped : leaveOut
  return createReport({
    settings,
    checks: [
      failed('settings', failure, 'invalid settings', ...problems),
      ...(sidecar?.ports ?? SIDECAR_CHECKS.map(leaveOutSidecar)),
      ...[...FEDERATION_CHECKS, ...EXCHANGE_CHECKS].map(leaveOut),
      ...(sidecar?.requests ?? [leaveOutSidecar('requests')]),
    ],
  })
}

async function checkSidecarAndRoute({
  listen,
  adminListen,
  mode,
  nodeName,
  passThrough,
}: SidecarSettings): Promise<{ ports: Finding[]; requests: Finding[] }> {
  const { instanceId, sidecar, admin } = await checkSidecar(listen, adminListen)
  const hasPassThrough = passThrough.length > 0
  const route = await checkRoute({ mode, nodeName, hasPassThrough, instanceId })
  return { ports: [sidecar, admin, route], requests: await checkRequests(admin, adminListen) }
}

function checkClock(skewMs: number | undefined): Finding {
  if (skewMs === undefined) return notChecked('clock', 'Entra ID did not answer an exchange')
  const skew = describeSkew(skewMs)
  if (isSkewed(skewMs)) {
    const consequence =
      skewMs > 0 ? 'projected tokens look expired too early' : 'expired projected tokens look valid'
    return failed('clock', createFailure('clock_skew', `${skew}, so that ${consequence}`, SKEW_FIX))
  }
  return {
    ...passed('clock', skew),
    ...(Math.abs(skewMs) > WARN_SKEW_MS && { warnings: [`Fix: ${SKEW_FIX}`] }),
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

function describeIdentities({ directory }: Config): Finding[] {
  const { identities, defaultIdentity } = directory
  if (identities.length === 0) {
    const { problem, fix } = WITHOUT_IDENTITY
    return [failed('identity', createFailure('identity_not_found', problem, fix))]
  }
  return identities.map((identity) => {
    const { name, clientId, tenantId, authorityHost, tokenFile } = identity
    const client = `client ${clientId}, tenant ${tenantId} at ${authorityHost}`
    const prefix = identity === defaultIdentity ? 'the default, ' : ''
    return {
      ...passed('identity', `${prefix}${client}`, `token file ${tokenFile}`),
      subject: name,
    }
  })
}

/** Returns the finding of the clock, which is read from the replies, and then those of the exchanges. */
async function checkExchanges(
  config: Config,
  exchange: TokenSource,
  checks: ReadonlyMap<string, AssertionCheck>,
  getSkewMs: CheckOptions['skewMs'],
): Promise<Finding[]> {
  const findings: Finding[] = []
  // One exchange after the other: this is not a load test.
  for (const identity of config.directory.identities) {
    for (const resource of findResources(identity)) {
      const finding = await checkExchange(identity, resource, {
        config,
        exchange,
        check: checks.get(identity.tokenFile),
        getSkewMs,
      })
      findings.push({ ...finding, subject: `${identity.name} → ${resource}` })
    }
  }
  if (findings.length === 0) {
    findings.push(notChecked('token_exchange', 'no identity is configured'))
  }
  return [checkClock(getSkewMs()), ...findings]
}

interface ExchangeContext {
  readonly config: Config
  readonly exchange: TokenSource
  readonly check: AssertionCheck | undefined
  readonly getSkewMs: CheckOptions['skewMs']
}

async function checkExchange(
  identity: Identity,
  resource: string,
  { config, exchange, check, getSkewMs }: ExchangeContext,
): Promise<Finding> {
  const tokenFailure = check?.finding.failure
  const reason = `the projected token ${identity.tokenFile} fails (${tokenFailure?.code})`
  // A token that has expired by the local clock is sent: that clock may be the wrong one.
  if (tokenFailure !== undefined && tokenFailure.code !== 'assertion_expired') {
    return notChecked('token_exchange', reason)
  }
  try {
    const { lifetime } = await exchange({ identity, scope: toScope(resource) })
    const { expiresAt } = toWallTimes(lifetime, systemClock)
    return passed('token_exchange', `token until ${new Date(expiresAt).toISOString()}`)
  } catch (thrown) {
    const error = toBrokerError(thrown)
    if (isOfExpiredToken(error, tokenFailure, getSkewMs())) {
      return notChecked('token_exchange', reason)
    }
    const commands = createCommands(error, identity, config, check)
    return {
      ...failed('token_exchange', toFailure(error)),
      ...(commands.length > 0 && { commands }),
    }
  }
}

/**
 * Returns true if a rejection only repeats, perhaps under another name, that the projected token has expired by a
 * clock that is right: the claims of such a token may be out of date.
 */
function isOfExpiredToken(
  { code }: BrokerError,
  tokenFailure: Failure | undefined,
  skewMs: number | undefined,
): boolean {
  const isClockRight = skewMs !== undefined && !isSkewed(skewMs)
  const isOfToken = /^(?:assertion|federated_credential|issuer)_/.test(code)
  return tokenFailure !== undefined && isClockRight && isOfToken
}

/** Returns the resources to prefetch, or else one that the identity may request. */
function findResources({ prefetch, resources = [], authorityHost }: Identity): readonly string[] {
  if (prefetch.length > 0) return prefetch
  const management = findCloud(new URL(authorityHost).hostname)?.managementResource
  return [resources[0] ?? management ?? DEFAULT_RESOURCE]
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
  { code, assertion: rejected }: BrokerError,
  identity: Identity,
  { exchange }: Config,
  check: AssertionCheck | undefined,
): NonNullable<Finding['commands']> {
  const assertion = check?.finding.status === 'ok' ? check.assertion : undefined
  if (assertion === undefined || !CREDENTIAL_CODES.has(code)) return []
  const claims = rejected ?? assertion
  if (identity.assertionFrom === undefined) {
    if (isViaTokenProxy(identity, exchange, assertion)) {
      const { kubectlApply, azIdentityBinding } = createBindingCommands(identity, assertion)
      return [
        {
          purpose: `Allow the service account to use the identity ${identity.name}`,
          command: kubectlApply,
        },
        { purpose: 'Create its identity binding, unless there is one', command: azIdentityBinding },
      ]
    }
  } else if (claims.subject === assertion.subject) return []
  if (exchange.audience === undefined && hasUnexpectedAudience(claims)) return []
  const commands = createCredentialCommands(identity, claims)
  if (commands === undefined) return []
  return [
    {
      purpose: `Create the federated credential of ${identity.name}, a managed identity`,
      command: commands.azManagedIdentity,
    },
    { purpose: 'or of an application registration', command: commands.azApplication },
    { purpose: 'or of a managed identity with Terraform', command: commands.terraform },
  ]
}
