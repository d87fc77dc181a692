/** Runs the checks of this machine: everything between its settings and a token. */
import { ConfigError, formatProblem } from '../../lib/errors.ts'
import { SIDECAR_MODES, type SidecarMode } from '../../lib/sidecar-interface.ts'
import { DOCS_URL } from '../../lib/version.ts'
import { type Config, loadConfig } from '../../broker/config/config.ts'
import { addresses, addressesOrOff } from '../../broker/config/parsers.ts'
import { describeSettings, type Environment, withDefaults } from '../../broker/config/settings.ts'
import type { Identity } from '../../broker/identities.ts'
import { WITHOUT_IDENTITY } from '../../broker/telemetry/find-problems.ts'
import { createDirectExchange } from '../direct-exchange.ts'
import { checkAssertion } from './assertion-check.ts'
import { checkEndpoint, findEndpoints } from './connectivity.ts'
import type { CheckName, Finding, Sections } from './doctor-report.ts'
import { checkExchanges } from './exchange-check.ts'
import { createFinding, failed, notChecked, type Outcome, passed, SKIPPED } from './findings.ts'
import { checkRequests } from './requests-check.ts'
import { checkRoute } from './route-check.ts'
import { checkSidecar } from './sidecar-check.ts'

const SETTINGS = `The settings: ${DOCS_URL}/configuration.html`

interface LocalOptions {
  readonly env: Environment
  /** Undefined: WIMDS_MODE. */
  readonly mode: SidecarMode | undefined
  readonly skipSidecar: boolean
  readonly skipExchange: boolean
}

const SIDECAR_CHECKS = ['sidecar', 'admin_port', 'route'] as const
const EXCHANGE_CHECKS = ['clock', 'token_exchange'] as const
const CONFIG_CHECKS = ['identity', 'projected_token', 'connectivity', ...EXCHANGE_CHECKS] as const

const INVALID_SETTINGS = notChecked('the settings are invalid')

/** Returns the settings and the checks, without a secret. A check that fails is reported, not thrown. */
export async function checkHere(options: LocalOptions): Promise<Sections> {
  const { env, mode, skipSidecar, skipExchange } = options
  const settings = describeSettings(env)
  const { config, outcome } = await checkSettings(env)
  const sidecar = config ?? readSidecarSettings(env)
  const { ports, requests } =
    skipSidecar || sidecar === undefined
      ? leaveOutSidecar(skipSidecar ? SKIPPED : INVALID_SETTINGS)
      : await checkSidecarAndRoute({ ...sidecar, mode: mode ?? sidecar.mode })
  const others =
    config === undefined
      ? leaveOut(CONFIG_CHECKS, INVALID_SETTINGS)
      : await checkConfig(config, skipExchange)
  return {
    settings,
    checks: [createFinding('settings', outcome), ...ports, ...others, ...requests],
  }
}

function leaveOut(checks: readonly CheckName[], outcome: Outcome): Finding[] {
  return checks.map((check) => createFinding(check, outcome))
}

/** Returns the configuration; none if the settings are invalid. */
async function checkSettings(env: Environment): Promise<{ config?: Config; outcome: Outcome }> {
  try {
    const config = await loadConfig(env)
    return { config, outcome: { ...passed(), warnings: [...config.warnings] } }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const isUnset = describeSettings(env).every(({ source }) => source === 'default')
    const fault = {
      code: 'settings_invalid',
      problem: 'wimds serve does not start with these settings',
      fix: isUnset
        ? `run doctor where the settings of a sidecar are: in its container, or from here with --pod NAMESPACE/POD. Before an installation, use --pre. ${SETTINGS}`
        : `correct the settings that are named. ${SETTINGS}`,
    } as const
    return { outcome: failed(fault, 'invalid settings', ...error.problems.map(formatProblem)) }
  }
}

/** The part of a configuration that leads to the sidecar. */
interface SidecarSettings extends Pick<Config, 'listen' | 'adminListen' | 'passThrough'> {
  readonly mode?: SidecarMode | undefined
}

/** Returns what leads to the sidecar although other settings are invalid; undefined if it is invalid itself. */
function readSidecarSettings(env: Environment): SidecarSettings | undefined {
  const raw = withDefaults(env)
  const listen = addresses.safeParse(raw['WIMDS_LISTEN'])
  const adminListen = addressesOrOff.safeParse(raw['WIMDS_ADMIN_LISTEN'])
  if (!listen.success || !adminListen.success) return undefined
  return {
    listen: listen.data,
    adminListen: adminListen.data,
    mode: SIDECAR_MODES.find((mode) => mode === raw['WIMDS_MODE']),
    passThrough: [raw['WIMDS_PASS_THROUGH'] ?? []].flat(),
  }
}

interface SidecarFindings {
  readonly ports: readonly Finding[]
  /** The findings about requests, which are the last of the report. */
  readonly requests: readonly Finding[]
}

function leaveOutSidecar(outcome: Outcome): SidecarFindings {
  return { ports: leaveOut(SIDECAR_CHECKS, outcome), requests: leaveOut(['requests'], outcome) }
}

async function checkSidecarAndRoute(settings: SidecarSettings): Promise<SidecarFindings> {
  const { listen, adminListen, mode, passThrough } = settings
  const { instanceId, sidecar, admin } = await checkSidecar(listen, adminListen)
  const hasPassThrough = passThrough.length > 0
  const route = await checkRoute({ mode, hasPassThrough, instanceId })
  return { ports: [sidecar, admin, route], requests: await checkRequests(admin, adminListen) }
}

/** Checks what needs a valid configuration: identities, projected tokens, endpoints and exchanges. */
async function checkConfig(config: Config, skipExchange: boolean): Promise<Finding[]> {
  const used = { ...config, directory: { ...config.directory, identities: findUsed(config) } }
  const now = Date.now()
  const assertions = new Map(
    await Promise.all(
      config.tokenFiles.map(async (file) => [file, await checkAssertion(file, used, now)] as const),
    ),
  )
  await using direct = createDirectExchange(config)
  const connections = await Promise.all(
    findEndpoints(used, assertions).map((endpoint) =>
      checkEndpoint(endpoint, config.exchange, direct.dispatchers),
    ),
  )
  return [
    ...describeIdentities(config),
    ...[...assertions.values()].map(({ finding }) => finding),
    ...connections,
    ...(skipExchange
      ? leaveOut(EXCHANGE_CHECKS, SKIPPED)
      : await checkExchanges({ config, direct, assertions })),
  ]
}

/** Any client id: only its tenant, cloud and token file are used. */
const ANY_CLIENT_ID = '00000000-0000-0000-0000-000000000000'

/**
 * Returns the identities whose token and endpoint are checked. If no identity is listed and requests may name any client
 * id, returns the identity of such a request.
 */
function findUsed({ directory: { identities, unlisted } }: Config): readonly Identity[] {
  return identities.length === 0 && unlisted !== undefined ? [unlisted(ANY_CLIENT_ID)] : identities
}

function describeIdentities({ directory: { identities, defaultIdentity } }: Config): Finding[] {
  if (identities.length === 0) {
    const fault = { code: 'identity_not_found', ...WITHOUT_IDENTITY } as const
    return [createFinding('identity', failed(fault))]
  }
  return identities.map((identity) =>
    describeIdentity({ ...identity, isDefault: identity === defaultIdentity }),
  )
}

interface IdentityFacts extends Pick<Identity, 'name' | 'clientId' | 'tenantId' | 'authorityHost'> {
  /** A status document has none of a chained identity. */
  readonly tokenFile?: string | undefined
  readonly isDefault: boolean
}

/** Creates the finding of an identity. */
export function describeIdentity(identity: IdentityFacts): Finding {
  const { name, clientId, tenantId, authorityHost, tokenFile, isDefault } = identity
  const prefix = isDefault ? 'the default, ' : ''
  const client = `${prefix}client ${clientId}, tenant ${tenantId} at ${authorityHost}`
  const file = tokenFile === undefined ? [] : [`token file ${tokenFile}`]
  return createFinding('identity', passed(client, ...file), name)
}
