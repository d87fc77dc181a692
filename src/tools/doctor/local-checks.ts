/** Runs the checks of this machine: everything between its settings and a token. */
import { loadConfig } from '../../broker/config/config.ts'
import { describeSettings, type Environment } from '../../broker/config/settings.ts'
import { ConfigError, formatProblem } from '../../lib/errors.ts'
import { docsPage } from '../../lib/version.ts'
import type { Sections } from './doctor-report.ts'
import { createFinding, failed, notNeeded, type Outcome, passed } from './findings.ts'
import { checkSidecar } from './sidecar-check.ts'
import { createStatus } from './trial-exchanges.ts'
import { checkTokens } from './status-checks.ts'

/** Returns the settings and the checks, without a secret. A check that fails is reported, not thrown. */
export async function checkHere(env: Environment, skipSidecar: boolean): Promise<Sections> {
  const settings = describeSettings(env)
  const isUnset = settings.every(({ source }) => source === 'default')
  const config = await loadConfig(env).catch((error: unknown) => explainSettings(error, isUnset))
  if ('status' in config) return { settings, checks: [createFinding('settings', config)] }
  const ofSidecar = skipSidecar ? undefined : await checkSidecar(config)
  const { sidecar = NO_SIDECAR, route, requests = [], tokens: asked = [] } = ofSidecar ?? {}
  const status = await createStatus(config)
  // Without an identity, only requests to the sidecar name client ids.
  const tokens = status.identities.length === 0 ? asked : status.tokens
  const own = createFinding('settings', { ...passed(), warnings: [...config.warnings] })
  const others = checkTokens({ ...status, tokens }, 'this machine')
  return { settings, checks: [own, sidecar, route ?? [], others, requests].flat() }
}

const NO_SIDECAR = createFinding('sidecar', notNeeded('left out by --no-sidecar'))

/** The fault where no setting is set, such as on the laptop of a new user. */
const UNSET = {
  code: 'settings_invalid',
  problem: 'no setting of a sidecar is set here',
  fix: `run wimds doctor --pre before an installation, wimds doctor --cluster for an installation, or wimds doctor NAMESPACE/POD for a pod. To check a sidecar on this machine, set its variables: ${docsPage('configuration')}`,
} as const

/** Returns the failure of invalid settings. Throws any other error. */
function explainSettings(error: unknown, isUnset: boolean): Outcome {
  if (!(error instanceof ConfigError)) throw error
  if (isUnset) return failed(UNSET)
  const fault = {
    code: 'settings_invalid',
    problem: 'wimds serve does not start with these settings',
    fix: `correct the settings that are named: ${docsPage('configuration')}`,
  } as const
  return failed(fault, 'invalid settings', ...error.problems.map(formatProblem))
}
