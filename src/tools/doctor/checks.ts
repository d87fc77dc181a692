/** Runs the checks of this machine: everything between its settings and a token. */
import { ConfigError, formatProblem } from '../../lib/errors.ts'
import type { RoutingMode } from '../../lib/sidecar-interface.ts'
import { DOCS_URL } from '../../lib/version.ts'
import { type Config, loadConfig } from '../../broker/config/config.ts'
import { describeSettings, type Environment } from '../../broker/config/settings.ts'
import { WITHOUT_IDENTITY } from '../../broker/telemetry/find-problems.ts'
import { checkAssertion } from './assertion-check.ts'
import type { Finding, Sections } from './doctor-report.ts'
import { checkExchanges } from './exchange-check.ts'
import {
  createFinding,
  failed,
  leaveOut,
  notChecked,
  type Outcome,
  passed,
  SKIPPED,
} from './findings.ts'
import type { ReportedStatus } from './local-requests.ts'
import { checkRequests } from './requests-check.ts'
import { checkRoute } from './route-check.ts'
import { checkSidecar } from './sidecar-check.ts'

interface LocalOptions {
  readonly env: Environment
  /** Undefined: WIMDS_MODE. */
  readonly mode: RoutingMode | undefined
  readonly skipSidecar: boolean
  readonly skipExchange: boolean
}

/** The checks of a sidecar that runs. */
const SIDECAR_CHECKS = ['sidecar', 'admin_port', 'route'] as const

/** The checks of how a pod gets its tokens, with a sidecar or without, in the order of the report. */
export const SERVED_CHECKS = [
  'identity',
  'projected_token',
  'clock',
  'token_exchange',
  'requests',
] as const

/** Returns the settings and the checks, without a secret. A check that fails is reported, not thrown. */
export async function checkHere(options: LocalOptions): Promise<Sections> {
  const { env, mode, skipSidecar, skipExchange } = options
  const settings = describeSettings(env)
  const config = await loadConfig(env).catch(explainSettings)
  if ('status' in config) {
    const dependent = [...SIDECAR_CHECKS, ...SERVED_CHECKS]
    const others = leaveOut(dependent, notChecked('the settings are invalid'))
    return { settings, checks: [createFinding('settings', config), ...others] }
  }
  const { ports, requests } = skipSidecar
    ? {
        ports: leaveOut(SIDECAR_CHECKS, SKIPPED),
        requests: leaveOut(['requests'], SKIPPED),
      }
    : await checkSidecarAndRoute(config, mode ?? config.mode)
  return {
    settings,
    checks: [
      createFinding('settings', { ...passed(), warnings: [...config.warnings] }),
      ...ports,
      ...(await checkConfig(config, skipExchange)),
      ...requests,
    ],
  }
}

/** Returns the failure of invalid settings. Throws any other error. */
function explainSettings(error: unknown): Outcome {
  if (!(error instanceof ConfigError)) throw error
  const fault = {
    code: 'settings_invalid',
    problem: 'wimds serve does not start with these settings',
    fix: `correct the settings that are named: ${DOCS_URL}/configuration.html`,
  } as const
  return failed(fault, 'invalid settings', ...error.problems.map(formatProblem))
}

async function checkSidecarAndRoute(config: Config, mode: RoutingMode | undefined) {
  const { listen, adminListen, passThrough } = config
  const { instanceId, sidecar, admin } = await checkSidecar(listen, adminListen)
  const hasPassThrough = passThrough.length > 0
  const route = await checkRoute({ mode, hasPassThrough, instanceId })
  return { ports: [sidecar, admin, route], requests: await checkRequests(admin, adminListen) }
}

/** Checks what needs a valid configuration: identities, projected tokens and exchanges. */
async function checkConfig(config: Config, skipExchange: boolean): Promise<Finding[]> {
  const { identities, defaultIdentity } = config.directory
  const now = Date.now()
  const assertions = await Promise.all(
    config.tokenFiles.map((file) => checkAssertion(file, config.exchange.audience, now)),
  )
  return [
    ...describeIdentities(
      identities.map((identity) => ({ ...identity, isDefault: identity === defaultIdentity })),
    ),
    ...assertions,
    ...(skipExchange
      ? leaveOut(['clock', 'token_exchange'], SKIPPED)
      : await checkExchanges(config, assertions)),
  ]
}

type IdentityFacts = Pick<
  ReportedStatus['identities'][number],
  'name' | 'clientId' | 'tenantId' | 'authorityHost' | 'tokenFile' | 'isDefault'
>

/** Returns a finding for each identity. If none is configured, it is a failure, unless requests name one. */
export function describeIdentities(
  identities: readonly IdentityFacts[],
  areNamed = false,
): Finding[] {
  if (identities.length === 0) {
    const fault = { code: 'identity_not_found', ...WITHOUT_IDENTITY } as const
    const named = passed('none is configured: requests name their client id')
    return [createFinding('identity', areNamed ? named : failed(fault))]
  }
  return identities.map(({ name, clientId, tenantId, authorityHost, tokenFile, isDefault }) => {
    const prefix = isDefault ? 'the default, ' : ''
    const client = `${prefix}client ${clientId}, tenant ${tenantId} at ${authorityHost}`
    return createFinding('identity', passed(client, `token file ${tokenFile}`), name)
  })
}
