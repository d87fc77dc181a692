/** Runs the checks of this machine: everything between its settings and a token. */
import { loadConfig } from '../../broker/config/config.ts'
import { describeSettings, type Environment } from '../../broker/config/settings.ts'
import { ConfigError, formatProblem } from '../../lib/errors.ts'
import type { RoutingMode } from '../../lib/sidecar-interface.ts'
import { DOCS_URL } from '../../lib/version.ts'
import type { Sections } from './doctor-report.ts'
import {
  createFinding,
  failed,
  leaveOut,
  notChecked,
  type Outcome,
  passed,
  SKIPPED,
} from './findings.ts'
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

/** Returns the settings and the checks, without a secret. A check that fails is reported, not thrown. */
export async function checkHere(options: LocalOptions): Promise<Sections> {
  const { env, mode, skipSidecar, skipExchange } = options
  const settings = describeSettings(env)
  const config = await loadConfig(env).catch(explainSettings)
  if ('status' in config) {
    const dependent = ['sidecar', 'route', ...STATUS_CHECKS] as const
    const others = leaveOut(dependent, notChecked('the settings are invalid'))
    return { settings, checks: [createFinding('settings', config), ...others] }
  }
  const {
    sidecar,
    route,
    tokens: asked,
    requests,
  } = skipSidecar ? SKIPPED_SIDECAR : await checkSidecar(config, mode ?? config.mode)
  const status = await createStatus(config, !skipExchange)
  // Without an identity only requests name client ids.
  const requested = status.identities.length === 0 ? asked : status.tokens
  const tokens = checkTokens({ ...status, tokens: requested }, 'this machine')
  const own = createFinding('settings', { ...passed(), warnings: [...config.warnings] })
  const ofTokens = skipExchange
    ? [
        ...tokens.filter(({ check }) => check !== 'clock' && check !== 'token_exchange'),
        ...leaveOut(['clock', 'token_exchange'], SKIPPED),
      ]
    : tokens
  return { settings, checks: [own, sidecar, route, ...ofTokens, ...requests] }
}

const SKIPPED_SIDECAR = {
  sidecar: createFinding('sidecar', SKIPPED),
  route: createFinding('route', SKIPPED),
  tokens: [],
  requests: [createFinding('requests', SKIPPED)],
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
