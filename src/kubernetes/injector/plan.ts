/** One pod's injection, decided: settings, annotations and the ServiceAccount brought together. */
import type { PodOptions } from './annotations.ts'
import { type FederatedToken, federatedToken } from './federated-token.ts'
import { type Container, type EnvVar, type Pod, sidecarOf } from './pod.ts'
import { INJECTION_DEFAULTS, type InjectionSettings } from './settings.ts'

/** The annotations of the pod's ServiceAccount. */
export type ServiceAccountAnnotations = Readonly<Record<string, string>>

export interface Plan {
  readonly settings: InjectionSettings
  readonly wishes: PodOptions
  readonly token: FederatedToken
  /** The sidecar's whole environment, each name once. */
  readonly environment: readonly EnvVar[]
  /** What shares the App Service endpoint's secret with the app; undefined: no such endpoint. */
  readonly identityHeader: EnvVar | undefined
  /** True if the sidecar may reach the real IMDS. */
  readonly isPassingThrough: boolean
  /** The sidecar of an earlier injection. */
  readonly earlier: Container | undefined
}

/** Where the ConfigMap of `wimds.io/config-map` is mounted. */
export const CONFIG_DIRECTORY = '/etc/wimds'

/** A classic sidecar is told to end together with its app, which may still want a token. */
const CLASSIC_DRAIN = '10s'

/** Brings everything together; decides nothing about whether it may be done. */
export function planOf(
  pod: Pod,
  serviceAccount: ServiceAccountAnnotations,
  wishes: PodOptions,
  given: InjectionSettings,
): Plan {
  const settings = { ...given, ...wishes.settings }
  const token = federatedToken(pod, settings.audience)
  const environment = environmentOf(serviceAccount, wishes, settings, token)
  const set = (name: string) => environment.find((entry) => entry.name === name)
  return {
    settings,
    wishes,
    token,
    environment,
    identityHeader: set('WIMDS_IDENTITY_HEADER'),
    isPassingThrough: set('WIMDS_PASS_THROUGH') !== undefined,
    earlier: wishes.injected === undefined ? undefined : sidecarOf(pod),
  }
}

/** Later entries take the place of earlier ones of the same name. */
function environmentOf(
  serviceAccount: ServiceAccountAnnotations,
  { configMap, prefetch, passThrough, identityHeaderSecret }: PodOptions,
  settings: InjectionSettings,
  token: FederatedToken,
): EnvVar[] {
  const clientId = settings.clientId ?? serviceAccount['azure.workload.identity/client-id']
  const tenantId = settings.tenantId ?? serviceAccount['azure.workload.identity/tenant-id']
  const entries = [
    ...token.variables,
    ...plain('AZURE_CLIENT_ID', clientId),
    ...plain('AZURE_TENANT_ID', tenantId),
    ...plain('AZURE_FEDERATED_TOKEN_FILE', token.file),
    ...plain('WIMDS_LISTEN', `127.0.0.1:${settings.port}`),
    ...plain('WIMDS_ADMIN_LISTEN', adminListen(settings.adminPort)),
    ...plain('WIMDS_CONFIG', configMap && `${CONFIG_DIRECTORY}/identities.yaml`),
    ...plain('WIMDS_PREFETCH', prefetch),
    ...plain('WIMDS_PASS_THROUGH', passThrough),
    ...plain('WIMDS_DRAIN', settings.hasNativeSidecars ? undefined : CLASSIC_DRAIN),
    ...(identityHeaderSecret
      ? [{ name: 'WIMDS_IDENTITY_HEADER', valueFrom: { secretKeyRef: identityHeaderSecret } }]
      : []),
    ...settings.sidecarEnv,
  ]
  return [...new Map(entries.map((entry) => [entry.name, entry])).values()]
}

/** Left to the sidecar's own default where it is that port. */
function adminListen(port: number): string | undefined {
  return port === INJECTION_DEFAULTS.adminPort ? undefined : `[::]:${port}`
}

function plain(name: string, value: string | undefined): EnvVar[] {
  return value ? [{ name, value }] : []
}
