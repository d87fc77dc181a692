/** What the webhook asks of the API server; with cluster-calls.ts, what knows the Kubernetes client. */
import {
  AdmissionregistrationV1Api,
  ApiException,
  type ConfigurationOptions,
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  type V1Secret,
  VersionApi,
} from '@kubernetes/client-node'
import type { ServiceAccountLookup } from './admission.ts'
import type { CertificateMaterial, CertificateStore } from './certificates.ts'
import { limitedTo, watchServiceAccounts } from './cluster-calls.ts'
import { type Pause, pausesUntil, retried } from './retries.ts'
import { type FollowedServiceAccounts, followServiceAccounts } from './service-accounts.ts'

/** Milliseconds after which a call that has no answer fails. */
interface Limits {
  readonly listMs: number
  /** Within a review, for which the chart gives five seconds, and the API server never over thirty. */
  readonly lookupMs: number
  readonly callMs: number
}

const LIMITS: Limits = { listMs: 30_000, lookupMs: 2500, callMs: 10_000 }

export interface Cluster {
  /** The minor version of Kubernetes 1, once the API server tells it. */
  readonly minorVersion: () => Promise<number>
  /** Keeps all ServiceAccounts at hand; resolves once they are. */
  readonly serviceAccounts: () => Promise<ServiceAccountLookup>
  /** A Secret, which must exist; it may be empty. */
  readonly certificates: (namespace: string, name: string) => CertificateStore
  /** Writes the authorities into every webhook of the configuration that has others. */
  readonly publishCa: (configuration: string, caPem: string) => Promise<void>
  /** Gives up every call that is under way, and the following of ServiceAccounts. */
  readonly close: () => void
}

interface ClusterOptions {
  /** Told of what is tried again. */
  readonly onError: (error: unknown) => void
  readonly pause?: Pause
  readonly limits?: Partial<Limits>
}

/** The cluster that this pod runs in, or that KUBECONFIG names. */
export function connectToCluster({ onError, ...options }: ClusterOptions): Cluster {
  const config = new KubeConfig()
  config.loadFromDefault()
  const core = config.makeApiClient(CoreV1Api)
  const registration = config.makeApiClient(AdmissionregistrationV1Api)
  const version = config.makeApiClient(VersionApi)
  const ending = new AbortController()
  const { signal } = ending
  const { pause = pausesUntil(signal) } = options
  const limits = { ...LIMITS, ...options.limits }
  const call = limitedTo(limits.callMs, signal)
  const retries = { onError, signal, pause }
  return {
    minorVersion: () => retried(() => minorVersion(version, call), retries),
    async serviceAccounts() {
      const list = limitedTo(limits.listMs, signal)
      const source = {
        list: () => core.listServiceAccountForAllNamespaces({}, list),
        watch: (from: string) => watchServiceAccounts(config, from, signal),
      }
      const followed = followServiceAccounts(source, retries)
      await followed.listed
      return serviceAccountLookup(core, followed, limitedTo(limits.lookupMs, signal))
    },
    certificates: (namespace, name) => secretStore(core, { namespace, name }, call),
    publishCa: (name, caPem) => publishCa(registration, { name, caPem }, call),
    close: () => ending.abort(),
  }
}

async function minorVersion(api: VersionApi, call: ConfigurationOptions): Promise<number> {
  const { minor } = await api.getCode({}, call)
  // Some clusters say `31+`; and the client promises what an answer may lack.
  const version = Number.parseInt(minor, 10)
  if (Number.isNaN(version)) throw new Error('the API server did not tell its version')
  return version
}

function serviceAccountLookup(
  core: CoreV1Api,
  { annotationsOf }: FollowedServiceAccounts,
  call: ConfigurationOptions,
): ServiceAccountLookup {
  return async (namespace, name) => {
    const held = annotationsOf(namespace, name)
    if (held !== undefined) return held
    // Created a moment ago, perhaps by the same manifest as the pod.
    try {
      const read = await core.readNamespacedServiceAccount({ namespace, name }, call)
      return read.metadata?.annotations ?? {}
    } catch (error) {
      if (hasCode(error, 404)) return {}
      throw new Error(reasonOf(error), { cause: error })
    }
  }
}

function secretStore(
  core: CoreV1Api,
  secret: { readonly namespace: string; readonly name: string },
  call: ConfigurationOptions,
): CertificateStore {
  return {
    async read() {
      const read = await core.readNamespacedSecret(secret, call)
      return { material: materialOf(read), revision: read.metadata?.resourceVersion ?? '' }
    },
    async write(material, revision) {
      const body = [
        { op: 'test', path: '/metadata/resourceVersion', value: revision },
        { op: 'add', path: '/data', value: dataOf(material) },
      ]
      try {
        await core.patchNamespacedSecret({ ...secret, body }, jsonPatch(call))
        return true
      } catch (error) {
        // 409: a conflict; 422: the test failed.
        if (hasCode(error, 409) || hasCode(error, 422)) return false
        throw error
      }
    },
  }
}

async function publishCa(
  registration: AdmissionregistrationV1Api,
  { name, caPem }: { readonly name: string; readonly caPem: string },
  call: ConfigurationOptions,
): Promise<void> {
  const caBundle = base64(caPem)
  const { webhooks = [] } = await registration.readMutatingWebhookConfiguration({ name }, call)
  const body = webhooks.flatMap((webhook, index) =>
    webhook.clientConfig.caBundle === caBundle
      ? []
      : [
          // The order may have changed since it was read.
          { op: 'test', path: `/webhooks/${index}/name`, value: webhook.name },
          { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle },
        ],
  )
  if (body.length > 0)
    await registration.patchMutatingWebhookConfiguration({ name, body }, jsonPatch(call))
}

const jsonPatch = (call: ConfigurationOptions) =>
  setHeaderOptions('Content-Type', PatchStrategy.JsonPatch, call)

function materialOf({ data = {} }: V1Secret): CertificateMaterial | undefined {
  const [certPem, keyPem, caPem] = ['tls.crt', 'tls.key', 'ca.crt'].map((key) =>
    Buffer.from(data[key] ?? '', 'base64').toString(),
  )
  return certPem && keyPem && caPem ? { certPem, keyPem, caPem } : undefined
}

function dataOf({ certPem, keyPem, caPem }: CertificateMaterial): Record<string, string> {
  return { 'tls.crt': base64(certPem), 'tls.key': base64(keyPem), 'ca.crt': base64(caPem) }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

function hasCode(error: unknown, code: number): boolean {
  return error instanceof ApiException && error.code === code
}

/** In a line: a client's message holds the whole response, headers included. */
export function reasonOf(error: unknown): string {
  if (error instanceof ApiException) return `the API server answered ${error.code}`
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return 'the API server did not answer in time'
  // Its message holds a piece of what was to be JSON.
  if (error instanceof SyntaxError) return 'the API server sent what is no JSON'
  return error instanceof Error ? error.message : String(error)
}
