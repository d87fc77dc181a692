/** The environment variables of the suite; test/e2e/README.md lists them. */
import { fileURLToPath } from 'node:url'

const env: Readonly<Record<string, string | undefined>> = process.env

/** The images under test, and the image of all other programs. */
export const IMAGES = {
  sidecar: env['WIMDS_IMAGE'] || 'wimds:dev',
  redirect: env['WIMDS_REDIRECT_IMAGE'] || 'wimds-redirect:dev',
  cluster: env['WIMDS_CLUSTER_IMAGE'] || 'wimds-cluster:dev',
  gate: env['WIMDS_GATE_IMAGE'] || 'wimds-gate:dev',
  /** Applications, the simulated Entra ID and a metadata service: `test/e2e/image`. */
  around: env['WIMDS_E2E_IMAGE'] || 'wimds-e2e:dev',
} as const

/** The file with the key of the cluster's CA; undefined if the cluster signs certificates itself. */
export const CLUSTER_CA_KEY = env['CLUSTER_CA_KEY'] || undefined

/** A shell command that ends the machine of the node `$NODE`; undefined if no node is to be lost. */
export const LOSE_NODE = env['LOSE_NODE'] || undefined

/** The path of the cluster's CA in pods. */
export const CLUSTER_CA_IN_PODS = '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt'

/** True if the image `around` includes the application of ASP.NET Core. */
export const HAS_ASPNET = env['WIMDS_E2E_ASPNET'] === 'true'

/** The command line under test. */
export const CLI = fileURLToPath(new URL('../../../dist/wimds.js', import.meta.url))

/** The earlier commit or tag to upgrade from; undefined if upgrades are not tested. */
export const UPGRADE_FROM = env['UPGRADE_FROM'] || undefined

/** The images of the version `UPGRADE_FROM`. */
export const EARLIER_IMAGES = {
  sidecar: env['WIMDS_EARLIER_IMAGE'] || 'wimds:earlier',
  redirect: env['WIMDS_EARLIER_REDIRECT_IMAGE'] || 'wimds-redirect:earlier',
  cluster: env['WIMDS_EARLIER_CLUSTER_IMAGE'] || 'wimds-cluster:earlier',
  gate: env['WIMDS_EARLIER_GATE_IMAGE'] || 'wimds-gate:earlier',
} as const
