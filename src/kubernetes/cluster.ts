/** What the webhook asks of the API server; the only file that knows the Kubernetes client. */
import {
  AdmissionregistrationV1Api,
  ApiException,
  type ConfigurationOptions,
  CoreV1Api,
  HttpMethod,
  KubeConfig,
  Observable,
  type ObservableMiddleware,
  PatchStrategy,
  RequestContext,
  setHeaderOptions,
  type V1Secret,
  VersionApi,
} from '@kubernetes/client-node'
import { fetch } from 'undici'
import type { ServiceAccountLookup } from './admission.ts'
import type { CertificateMaterial, CertificateStore } from './certificates.ts'
import { linesOf } from './lines.ts'
import { type Pause, pausesUntil, retried } from './retries.ts'
import {
  type FollowedServiceAccounts,
  followServiceAccounts,
  type ServiceAccountSource,
} from './service-accounts.ts'

/** The API server ends a watch after this long, with a bookmark before; a longer one is dead. */
const WATCH_SECONDS = 30
const WATCH_GRACE_MS = 10_000
const LIST_LIMIT_MS = 30_000
const CALL_LIMIT_MS = 10_000

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
}

/** The cluster that this pod runs in, or that KUBECONFIG names. */
export function connectToCluster({ onError, ...options }: ClusterOptions): Cluster {
  const config = new KubeConfig()
  config.loadFromDefault()
  const core = config.makeApiClient(CoreV1Api)
  const registration = config.makeApiClient(AdmissionregistrationV1Api)
  const ending = new AbortController()
  const { signal } = ending
  const { pause = pausesUntil(signal) } = options
  return {
    minorVersion: () => retried(() => minorVersion(config, signal), { onError, signal, pause }),
    async serviceAccounts() {
      const followed = followServiceAccounts(serviceAccountSource(config, core, signal), {
        onError,
        signal,
        pause,
      })
      await followed.listed
      return serviceAccountLookup(core, followed)
    },
    certificates: (namespace, name) => secretStore(core, namespace, name),
    publishCa: (name, caPem) => publishCa(registration, name, caPem),
    close: () => ending.abort(),
  }
}

async function minorVersion(config: KubeConfig, ending: AbortSignal): Promise<number> {
  const asked = config.makeApiClient(VersionApi).getCode({}, limitedTo(CALL_LIMIT_MS, ending))
  // Some clusters say `31+`; and the client promises what an answer may lack.
  const minor = Number.parseInt((await asked).minor, 10)
  if (Number.isNaN(minor)) throw new Error('the API server did not tell its version')
  return minor
}

function serviceAccountLookup(
  core: CoreV1Api,
  { annotationsOf }: FollowedServiceAccounts,
): ServiceAccountLookup {
  return async (namespace, name) => {
    const held = annotationsOf(namespace, name)
    if (held !== undefined) return held
    // Created a moment ago, perhaps by the same manifest as the pod.
    try {
      const read = await core.readNamespacedServiceAccount({ namespace, name })
      return read.metadata?.annotations ?? {}
    } catch (error) {
      if (hasCode(error, 404)) return {}
      throw new Error(reasonOf(error), { cause: error })
    }
  }
}

/** The client's own watch and informer reject where nobody listens, which ends the process. */
function serviceAccountSource(
  config: KubeConfig,
  core: CoreV1Api,
  ending: AbortSignal,
): ServiceAccountSource {
  return {
    list: () => core.listServiceAccountForAllNamespaces({}, limitedTo(LIST_LIMIT_MS, ending)),
    async *watch(resourceVersion) {
      const url = new URL(`${config.getCurrentCluster()?.server}/api/v1/serviceaccounts`)
      url.search = new URLSearchParams({
        watch: 'true',
        allowWatchBookmarks: 'true',
        timeoutSeconds: `${WATCH_SECONDS}`,
        resourceVersion,
      }).toString()
      const request = new RequestContext(url.href, HttpMethod.GET)
      await config.applySecurityAuthentication(request)
      const dispatcher = request.getDispatcher()
      const { status, body } = await fetch(url, {
        headers: request.getHeaders(),
        redirect: 'error',
        signal: within(WATCH_SECONDS * 1000 + WATCH_GRACE_MS, ending),
        ...(dispatcher && { dispatcher }),
      })
      if (status !== 200 || body === null) {
        await body?.cancel()
        throw new Error(`the API server answered ${status} to a watch`)
      }
      // A line that is cut off comes again with the next watch.
      yield* linesOf(body)
    },
  }
}

const within = (ms: number, ending: AbortSignal) =>
  AbortSignal.any([ending, AbortSignal.timeout(ms)])

/** Makes a call of the client fail after so long, or at the end. */
function limitedTo(ms: number, ending: AbortSignal): ConfigurationOptions {
  const limit: ObservableMiddleware = {
    pre(request) {
      request.setSignal(within(ms, ending))
      return new Observable(Promise.resolve(request))
    },
    post: (response) => new Observable(Promise.resolve(response)),
  }
  return { middleware: [limit], middlewareMergeStrategy: 'append' }
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

/** In a line: a client's message holds the whole response, headers included. */
export function reasonOf(error: unknown): string {
  if (error instanceof ApiException) return `the API server answered ${error.code}`
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return 'the API server did not answer in time'
  // Its message holds a piece of what was to be JSON.
  if (error instanceof SyntaxError) return 'the API server sent what is no JSON'
  return error instanceof Error ? error.message : String(error)
}
