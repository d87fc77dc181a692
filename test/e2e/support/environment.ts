/** The environment variables of the suite; test/e2e/README.md lists them. */
import { fileURLToPath } from 'node:url'

const env: Readonly<Record<string, string | undefined>> = process.env

/** The images under test, and those that the pods around them need. */
export const IMAGES = {
  sidecar: env['WIMDS_IMAGE'] || 'wimds:dev',
  redirect: env['WIMDS_REDIRECT_IMAGE'] || 'wimds-redirect:dev',
  cluster: env['WIMDS_CLUSTER_IMAGE'] || 'wimds-cluster:dev',
  gate: env['WIMDS_GATE_IMAGE'] || 'wimds-gate:dev',
  /** An application of 2021 with its SDK. */
  legacyApp: env['LEGACY_APP_IMAGE'] || 'wimds-legacy-app:dev',
  /** A shell and curl. */
  tools: env['TOOLS_IMAGE'] || 'kit.local/tools:1',
} as const

/** The proxy of azure-workload-identity v1.6.0, for comparison; undefined: it is not measured. */
export const AZWI_PROXY_IMAGE = env['AZWI_PROXY_IMAGE'] || undefined

/** A certificate for login.microsoftonline.com that the cluster's own CA has signed. */
export const ENTRA_TLS = {
  certFile: env['CLUSTER_TLS_CERT'] ?? '',
  keyFile: env['CLUSTER_TLS_KEY'] ?? '',
} as const

/** The path of the cluster's CA in pods. */
export const CLUSTER_CA_IN_PODS = '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt'

/** The command line under test. */
export const CLI = fileURLToPath(new URL('../../../dist/wimds.js', import.meta.url))

/** The earlier commit or tag to upgrade from; undefined: upgrades are not tested. */
export const UPGRADE_FROM = env['UPGRADE_FROM'] || undefined

/** The images of that version. */
export const EARLIER_IMAGES = {
  sidecar: env['WIMDS_EARLIER_IMAGE'] || 'wimds:earlier',
  redirect: env['WIMDS_EARLIER_REDIRECT_IMAGE'] || 'wimds-redirect:earlier',
  /** Absent for a version whose webhook is in the image of the sidecar. */
  ...(env['WIMDS_EARLIER_CLUSTER_IMAGE'] && { cluster: env['WIMDS_EARLIER_CLUSTER_IMAGE'] }),
} as const
