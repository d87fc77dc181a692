/** What the webhook asks of the API server; the only file that knows the Kubernetes client. */
import {
  AdmissionregistrationV1Api,
  ApiException,
  CoreV1Api,
  KubeConfig,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1Secret,
  type V1ServiceAccount,
  VersionApi,
} from '@kubernetes/client-node'
import type { ServiceAccountLookup } from './admission.ts'
import type { CertificateMaterial, CertificateStore } from './certificates.ts'

/** Time before a watch that broke is begun again. */
const WATCH_AGAIN_MS = 5000

export interface Cluster {
  /** The minor version of Kubernetes 1. */
  readonly minorVersion: () => Promise<number>
  /** Keeps all ServiceAccounts at hand; resolves once they are. */
  readonly serviceAccounts: (options: WatchOptions) => Promise<WatchedServiceAccounts>
  /** A Secret, which must exist; it may be empty. */
  readonly certificates: (namespace: string, name: string) => CertificateStore
  /** Writes the authorities into every webhook of the configuration that has others. */
  readonly publishCa: (configuration: string, caPem: string) => Promise<void>
}

interface WatchOptions {
  readonly onError: (error: unknown) => void
}

interface WatchedServiceAccounts {
  readonly lookup: ServiceAccountLookup
  readonly stop: () => Promise<void>
}

/** The cluster that this pod runs in, or that KUBECONFIG names. */
export function connectToCluster(): Cluster {
  const config = new KubeConfig()
  config.loadFromDefault()
  const core = config.makeApiClient(CoreV1Api)
  const registration = config.makeApiClient(AdmissionregistrationV1Api)
  return {
    async minorVersion() {
      const { minor } = await config.makeApiClient(VersionApi).getCode()
      return Number.parseInt(minor, 10)
    },
    serviceAccounts: (options) => watchServiceAccounts(config, core, options),
    certificates: (namespace, name) => secretStore(core, namespace, name),
    publishCa: (name, caPem) => publishCa(registration, name, caPem),
  }
}

async function watchServiceAccounts(
  config: KubeConfig,
  core: CoreV1Api,
  { onError }: WatchOptions,
): Promise<WatchedServiceAccounts> {
  const { promise: isListed, resolve } = Promise.withResolvers<void>()
  const informer = makeInformer<V1ServiceAccount>(config, '/api/v1/serviceaccounts', async () => {
    const list = await core.listServiceAccountForAllNamespaces()
    resolve()
    return list
  })
  let again: NodeJS.Timeout | undefined
  const start = () => void informer.start().catch(onError)
  informer.on('error', (error: unknown) => {
    onError(error)
    clearTimeout(again)
    again = setTimeout(start, WATCH_AGAIN_MS)
  })
  start()
  await isListed
  return {
    async lookup(namespace, name) {
      const held = informer.get(name, namespace)
      if (held !== undefined) return held.metadata?.annotations ?? {}
      // Created a moment ago, perhaps by the same manifest as the pod.
      try {
        const read = await core.readNamespacedServiceAccount({ namespace, name })
        return read.metadata?.annotations ?? {}
      } catch (error) {
        if (hasCode(error, 404)) return {}
        throw new Error(reasonOf(error), { cause: error })
      }
    },
    async stop() {
      clearTimeout(again)
      await informer.stop()
    },
  }
}

function secretStore(core: CoreV1Api, namespace: string, name: string): CertificateStore {
  return {
    async read() {
      const secret = await core.readNamespacedSecret({ namespace, name })
      return { material: materialOf(secret), revision: secret.metadata?.resourceVersion ?? '' }
    },
    async write(material, revision) {
      const body = [
        { op: 'test', path: '/metadata/resourceVersion', value: revision },
        { op: 'add', path: '/data', value: dataOf(material) },
      ]
      try {
        await core.patchNamespacedSecret({ namespace, name, body }, JSON_PATCH)
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
  name: string,
  caPem: string,
): Promise<void> {
  const caBundle = base64(caPem)
  const { webhooks = [] } = await registration.readMutatingWebhookConfiguration({ name })
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
    await registration.patchMutatingWebhookConfiguration({ name, body }, JSON_PATCH)
}

const JSON_PATCH = setHeaderOptions('Content-Type', PatchStrategy.JsonPatch)

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

/** A client's message holds the whole response, headers included. */
export function reasonOf(error: unknown): string {
  if (error instanceof ApiException) return `the API server answered ${error.code}`
  return error instanceof Error ? error.message : String(error)
}
