/** The calls by which the webhook reads and writes its cluster. */
import {
  AdmissionregistrationV1Api,
  type ConfigurationOptions,
  CoreV1Api,
  type V1MutatingWebhookConfiguration,
  type V1Secret,
  VersionApi,
} from '@kubernetes/client-node'
import * as z from 'zod/mini'
import { type Pause, retry } from '../../lib/backoff.ts'
import { parseJson } from '../../lib/json.ts'
import { readBody } from '../../lib/read-body.ts'
import type { ServiceAccountAnnotations } from '../injector/plan.ts'
import type { CertificateMaterial, CertificateStore } from './certificates.ts'
import {
  attempt,
  createCallOptions,
  createGet,
  type Get,
  hasStatus,
  loadKubeConfig,
  setJsonPatch,
} from '../api-client.ts'

/** Milliseconds after which a call without an answer fails. */
interface Limits {
  /** Within a review, for which the chart allows five seconds. */
  readonly lookupMs: number
  readonly callMs: number
}

const LIMITS: Limits = { lookupMs: 2500, callMs: 10_000 }

export interface Cluster {
  /** Returns the minor version of Kubernetes 1. Repeats the call until it succeeds. */
  readonly getMinorVersion: () => Promise<number>
  /** Returns the annotations of a ServiceAccount; undefined if there is none. */
  readonly getServiceAccount: (
    namespace: string,
    name: string,
  ) => Promise<ServiceAccountAnnotations | undefined>
  /** The Secret is deleted together with the configuration. */
  readonly createCertificateStore: (
    namespace: string,
    name: string,
    configuration: string,
  ) => CertificateStore
  /**
   * Writes the CA certificates into every webhook of the configuration that has others. Returns the
   * configuration's resource version.
   */
  readonly publishCa: (configuration: string, caPem: string) => Promise<string>
  /** Resolves when the configuration has changed since that version, or after ten seconds. */
  readonly waitForChange: (configuration: string, resourceVersion: string) => Promise<void>
  /** Aborts every call. */
  readonly close: () => void
}

interface ClusterOptions {
  /** Called with each failure of a call that is repeated. */
  readonly onError: (error: unknown) => void
  readonly pause?: Pause
  readonly limits?: Partial<Limits>
}

/** Connects to the cluster of this pod, or to that of KUBECONFIG. Throws `ConfigError` if there is neither. */
export function connectToCluster({ onError, limits: given, ...options }: ClusterOptions): Cluster {
  const config = loadKubeConfig()
  const core = config.makeApiClient(CoreV1Api)
  const registration = config.makeApiClient(AdmissionregistrationV1Api)
  const version = config.makeApiClient(VersionApi)
  const shutdown = new AbortController()
  const { signal } = shutdown
  const limits = { ...LIMITS, ...given }
  const get = createGet(config, signal)
  const call = createCallOptions(limits.callMs, signal)
  return {
    getMinorVersion: () =>
      retry(() => getMinorVersion(version, call), { ...options, onError, signal }),
    getServiceAccount: (namespace, name) =>
      getServiceAccount(get, limits.lookupMs, namespace, name),
    createCertificateStore: (namespace, name, configuration) =>
      createSecretStore(
        core,
        { namespace, name },
        () => readConfiguration(registration, configuration, call),
        call,
      ),
    publishCa: (name, caPem) => publishCa(registration, { name, caPem }, call),
    waitForChange: (name, resourceVersion) => waitForChange(get, name, resourceVersion),
    close: () => shutdown.abort(),
  }
}

async function getMinorVersion(api: VersionApi, call: ConfigurationOptions): Promise<number> {
  const { minor } = await attempt('read the version of Kubernetes', () => api.getCode({}, call))
  // Some clusters say `31+`; and the answer may lack what the client's types promise.
  const version = Number.parseInt(minor, 10)
  if (Number.isNaN(version)) throw new Error('the API server did not say its version')
  return version
}

/** Annotations alone can have 256 KiB; the rest of the metadata is small. */
const MAX_ACCOUNT_BYTES = 1024 * 1024
/** The metadata alone: a ServiceAccount may list thousands of Secrets. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'

const ServiceAccount = z.object({
  metadata: z.object({ annotations: z.nullish(z.record(z.string(), z.string())) }),
})

async function getServiceAccount(
  get: Get,
  timeoutMs: number,
  namespace: string,
  name: string,
): Promise<ServiceAccountAnnotations | undefined> {
  return await attempt('read it', async () => {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`
    const { statusCode, body } = await get(path, { timeoutMs, accept: METADATA_ONLY })
    if (statusCode !== 200) {
      await body.dump()
      if (statusCode === 404) return undefined
      throw new Error(`the API server answered ${statusCode}`)
    }
    const text = await readBody(body, MAX_ACCOUNT_BYTES, () => new Error('it is larger than 1 MiB'))
    const parsed = ServiceAccount.safeParse(parseJson(text))
    if (!parsed.success) throw new Error('the API server sent what is not a ServiceAccount')
    return parsed.data.metadata.annotations ?? {}
  })
}

function createSecretStore(
  core: CoreV1Api,
  secret: { readonly namespace: string; readonly name: string },
  readOwner: () => Promise<V1MutatingWebhookConfiguration>,
  call: ConfigurationOptions,
): CertificateStore {
  const title = `the Secret ${secret.namespace}/${secret.name}`
  return {
    async read() {
      try {
        const read = await attempt(`read ${title}`, () => core.readNamespacedSecret(secret, call))
        return { material: parseSecret(read), revision: read.metadata?.resourceVersion }
      } catch (error) {
        if (hasStatus(error, 404)) return { material: undefined, revision: undefined }
        throw error
      }
    },
    async write(material, revision) {
      const data = formatSecret(material)
      const owner = revision === undefined ? await readOwner() : undefined
      try {
        if (owner !== undefined) {
          // A Secret that is created during an uninstall must not be left behind.
          const ownerReferences = [formatOwner(owner)]
          const body = { metadata: { name: secret.name, ownerReferences }, type: 'Opaque', data }
          await attempt(`create ${title}`, () =>
            core.createNamespacedSecret({ namespace: secret.namespace, body }, call),
          )
        } else {
          const body = [
            { op: 'test', path: '/metadata/resourceVersion', value: revision },
            { op: 'add', path: '/data', value: data },
          ]
          await attempt(`write ${title}`, () =>
            core.patchNamespacedSecret({ ...secret, body }, setJsonPatch(call)),
          )
        }
        return true
      } catch (error) {
        // 404: deleted since it was read; 409: a conflict; 422: the test failed.
        if ([404, 409, 422].some((status) => hasStatus(error, status))) return false
        throw error
      }
    },
  }
}

function formatOwner({ metadata }: V1MutatingWebhookConfiguration) {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
  }
}

async function readConfiguration(
  registration: AdmissionregistrationV1Api,
  name: string,
  call: ConfigurationOptions,
): Promise<V1MutatingWebhookConfiguration> {
  return await attempt(`read the MutatingWebhookConfiguration ${name}`, () =>
    registration.readMutatingWebhookConfiguration({ name }, call),
  )
}

async function publishCa(
  registration: AdmissionregistrationV1Api,
  { name, caPem }: { readonly name: string; readonly caPem: string },
  call: ConfigurationOptions,
): Promise<string> {
  const caBundle = encodeBase64(caPem)
  const current = await readConfiguration(registration, name, call)
  const body = (current.webhooks ?? []).flatMap((webhook, index) =>
    webhook.clientConfig.caBundle === caBundle
      ? []
      : [
          // The order may have changed since it was read.
          { op: 'test', path: `/webhooks/${index}/name`, value: webhook.name },
          { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle },
        ],
  )
  if (body.length === 0) return current.metadata?.resourceVersion ?? ''
  const patched = await attempt(
    `write the caBundle of the MutatingWebhookConfiguration ${name}`,
    () => registration.patchMutatingWebhookConfiguration({ name, body }, setJsonPatch(call)),
  )
  return patched.metadata?.resourceVersion ?? ''
}

/** The API server ends the watch after this many seconds. */
const WATCH_SECONDS = 10

/** Waits for an event or the end of the watch. Events are not parsed: the configuration is read again after any. */
async function waitForChange(get: Get, name: string, resourceVersion: string): Promise<void> {
  const query = new URLSearchParams({
    watch: 'true',
    fieldSelector: `metadata.name=${name}`,
    resourceVersion,
    timeoutSeconds: `${WATCH_SECONDS}`,
  })
  const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations?${query.toString()}`
  await attempt(`watch the MutatingWebhookConfiguration ${name}`, async () => {
    const timeoutMs = (WATCH_SECONDS + 10) * 1000
    const { statusCode, body } = await get(path, { timeoutMs, accept: 'application/json' })
    if (statusCode !== 200) {
      await body.dump()
      throw new Error(`the API server answered ${statusCode}`)
    }
    for await (const _ of body) return
  })
}

function parseSecret({ data = {} }: V1Secret): CertificateMaterial | undefined {
  const [certPem, keyPem, caPem] = ['tls.crt', 'tls.key', 'ca.crt'].map((key) =>
    Buffer.from(data[key] ?? '', 'base64').toString(),
  )
  return certPem && keyPem && caPem ? { certPem, keyPem, caPem } : undefined
}

function formatSecret({ certPem, keyPem, caPem }: CertificateMaterial): Record<string, string> {
  return {
    'tls.crt': encodeBase64(certPem),
    'tls.key': encodeBase64(keyPem),
    'ca.crt': encodeBase64(caPem),
  }
}

const encodeBase64 = (text: string): string => Buffer.from(text).toString('base64')
