/** The configuration of a pod: its gate's settings override the node's. */
import { type Config, loadConfig } from '../../broker/config/config.ts'
import type { ReadText } from '../../broker/config/identities-file.ts'
import {
  type Environment,
  createConfigError,
  parseSettings,
  Settings,
} from '../../broker/config/settings.ts'
import { findCloud, resolveLoginHost } from '../../lib/clouds.ts'
import type { Problem } from '../../lib/errors.ts'
import { firstItems } from '../../lib/printable.ts'
import { PER_POD_SETTINGS } from '../../broker/config/node-mode-settings.ts'

/** The variables that all pods of a node share. Mode node has no pass-through and no token proxy. */
const NODE_VARIABLES = new Set(
  [...Object.keys(Settings.shape), 'KUBERNETES_SERVICE_HOST'].filter(
    (name) =>
      !PER_POD_SETTINGS.has(name) &&
      !name.startsWith('AZURE_KUBERNETES_') &&
      !['WIMDS_PASS_THROUGH', 'WIMDS_MODE'].includes(name),
  ),
)

/** The setting of a pod that the agent applies: it opens the socket. */
const OF_AGENT = 'WIMDS_LISTEN'

/** Settings of a pod whose value in the broker's own environment is a limit. */
const OF_LIMITS = new Set(['WIMDS_MAX_CONNECTIONS', 'AZURE_AUTHORITY_HOST'])

/** Returns the variables that a pod may set and the broker applies. A pod sets no variable of the node. */
export function selectPerPodSettings(env: Environment): Environment {
  return select(env, (name) => PER_POD_SETTINGS.has(name) && name !== OF_AGENT)
}

/** Returns the variables of the broker's own environment that apply to all pods. */
export function selectNodeSettings(env: Environment): Environment {
  return select(env, (name) => NODE_VARIABLES.has(name))
}

/** The limits of the node, which no pod can raise. */
export interface PodLimits {
  readonly maxConnections: number
  /** The authority host that pods may name besides the hosts of the clouds. */
  readonly authorityHost: string
}

/** Reads the limits from the broker's environment. Throws a `ConfigError`. */
export function readPodLimits(env: Environment): PodLimits {
  const { settings, problems } = parseSettings(select(env, (name) => OF_LIMITS.has(name)))
  if (settings === undefined) throw createConfigError(problems)
  return {
    maxConnections: settings.WIMDS_MAX_CONNECTIONS,
    authorityHost: settings.AZURE_AUTHORITY_HOST,
  }
}

/** Loads the configuration of a pod as a sidecar loads its own, and applies the limits of the node. Throws a `ConfigError`. */
export async function loadPodConfig(
  { env, limits }: { readonly env: Environment; readonly limits: PodLimits },
  readText: ReadText,
): Promise<Config> {
  const config = await loadConfig(env, readText)
  const problems = findHostProblems(config, limits)
  if (problems.length > 0) throw createConfigError(problems)
  return { ...config, maxConnections: Math.min(config.maxConnections, limits.maxConnections) }
}

/** Rejects other authority hosts: the agent would connect to them from the node, past the network policy of the pod. */
function findHostProblems(
  { directory, identitiesFile }: Config,
  { authorityHost: allowed }: PodLimits,
): Problem[] {
  const unlisted = directory.unlisted?.('')
  const used = [...directory.identities, ...(unlisted === undefined ? [] : [unlisted])]
  const refused = [...new Set(used.map(({ authorityHost }) => authorityHost))].filter(
    (host) => !isCloud(host) && host !== allowed,
  )
  if (refused.length === 0) return []
  return [
    {
      setting: identitiesFile === undefined ? 'AZURE_AUTHORITY_HOST' : 'WIMDS_CONFIG',
      problem: `the authority host ${firstItems(refused).join(', ')} is not one that pods of this node may use`,
      fix: "use an Azure cloud's login host, or allow this one by the chart value injection.env.AZURE_AUTHORITY_HOST",
    },
  ]
}

function isCloud(authorityHost: string): boolean {
  return findCloud(resolveLoginHost(authorityHost)) !== undefined
}

function select(env: Environment, isSelected: (name: string) => boolean): Environment {
  return Object.fromEntries(
    Object.entries(env)
      .filter(([name, value]) => isSelected(name) && value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}
