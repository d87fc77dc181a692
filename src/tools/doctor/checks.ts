/** Runs the checks of this machine: everything between its settings and a token. */
import { type Config, loadConfig } from '../../broker/config/config.ts'
import { describeSettings, type Environment } from '../../broker/config/settings.ts'
import { ConfigError, formatProblem } from '../../lib/errors.ts'
import type { RoutingMode } from '../../lib/sidecar-interface.ts'
import { DOCS_URL } from '../../lib/version.ts'
import type { Finding, Sections } from './doctor-report.ts'
import {
  createFinding,
  failed,
  leaveOut,
  notChecked,
  type Outcome,
  passed,
  SKIPPED,
} from './findings.ts'
import { checkRequests } from './requests-check.ts'
import { checkRoute } from './route-check.ts'
import { checkSidecar } from './sidecar-check.ts'
import { createStatus } from './status.ts'
import { checkTokens, STATUS_CHECKS } from './status-checks.ts'

interface LocalOptions {
  readonly env: Environment
  /** Undefined: WIMDS_MODE. */
  readonly mode: RoutingMode | undefined
  readonly skipSidecar: boolean
  readonly skipExchange: boolean
}

/** The checks of a sidecar that runs. */
const SIDECAR_CHECKS = ['sidecar', 'admin_port', 'route'] as const

/** The checks that need an exchange. */
const OF_EXCHANGES: ReadonlySet<string> = new Set(['clock', 'token_exchange'])

/** Returns the settings and the checks, without a secret. A check that fails is reported, not thrown. */
export async function checkHere(options: LocalOptions): Promise<Sections> {
  const { env, mode, skipSidecar, skipExchange } = options
  const settings = describeSettings(env)
  const config = await loadConfig(env).catch(explainSettings)
  if ('status' in config) {
    const dependent = [...SIDECAR_CHECKS, ...STATUS_CHECKS]
    const others = leaveOut(dependent, notChecked('the settings are invalid'))
    return { settings, checks: [createFinding('settings', config), ...others] }
  }
  const { ports, requests } = skipSidecar
    ? { ports: leaveOut(SIDECAR_CHECKS, SKIPPED), requests: leaveOut(['requests'], SKIPPED) }
    : await checkSidecarAndRoute(config, mode ?? config.mode)
  const tokens = checkTokens(await createStatus(config, !skipExchange), 'this machine')
  const skipped = leaveOut(['clock', 'token_exchange'], SKIPPED)
  return {
    settings,
    checks: [
      createFinding('settings', { ...passed(), warnings: [...config.warnings] }),
      ...ports,
      ...(skipExchange
        ? [...tokens.filter(({ check }) => !OF_EXCHANGES.has(check)), ...skipped]
        : tokens),
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
  const requests: Finding[] = await checkRequests(admin, adminListen)
  return { ports: [sidecar, admin, route], requests }
}
