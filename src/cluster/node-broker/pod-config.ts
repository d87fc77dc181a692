/** The configuration of a pod: its gate's settings, over those of the node. */
import { type Config, loadConfig } from '../../sidecar/config/config.ts'
import type { ReadText } from '../../sidecar/config/identities-file.ts'
import { type Environment, POD_SETTINGS, Settings } from '../../sidecar/config/settings.ts'

/** What the broker's environment says of all pods of the node. Mode node has neither pass-through nor token proxy. */
const NODE_VARIABLES = new Set(
  [...Object.keys(Settings.shape), 'KUBERNETES_SERVICE_HOST'].filter(
    (name) =>
      !POD_SETTINGS.has(name) &&
      !name.startsWith('AZURE_KUBERNETES_') &&
      !['WIMDS_PASS_THROUGH', 'WIMDS_MODE'].includes(name),
  ),
)

/** The agent opens the socket of a pod. */
const OF_AGENT = 'WIMDS_LISTEN'

/** A workload has this share of the exchanges that the node may make at the same time. */
const EXCHANGES_SHARE = 1 / 8

/** Returns the variables by which a pod's requests are answered. A pod sets none of those of the node. */
export function selectPodSettings(env: Environment): Environment {
  return select(env, (name) => POD_SETTINGS.has(name) && name !== OF_AGENT)
}

/** Returns the variables of the broker's own environment that apply to all pods. */
export function selectNodeSettings(env: Environment): Environment {
  return select(env, (name) => NODE_VARIABLES.has(name))
}

/**
 * Reads the configuration of a pod, by the function that reads a sidecar's. Throws a `ConfigError`. Limits of the node
 * cannot be raised by a pod.
 */
export async function loadPodConfig(
  { env, limits }: { readonly env: Environment; readonly limits: Pick<Config, 'maxConnections'> },
  readText: ReadText,
): Promise<Config> {
  const config = await loadConfig(env, readText)
  const { exchange, maxConnections } = config
  return {
    ...config,
    maxConnections: Math.min(maxConnections, limits.maxConnections),
    exchange: {
      ...exchange,
      maxConcurrent: Math.max(1, Math.floor(exchange.maxConcurrent * EXCHANGES_SHARE)),
    },
  }
}

function select(env: Environment, isSelected: (name: string) => boolean): Environment {
  return Object.fromEntries(
    Object.entries(env)
      .filter(([name, value]) => isSelected(name) && value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}
