/** Calls of the Kubernetes API: configuration, credentials, time limits and errors. */
import {
  ApiException,
  type ConfigurationOptions,
  HttpMethod,
  KubeConfig,
  Observable,
  type ObservableMiddleware,
  PatchStrategy,
  RequestContext,
  setHeaderOptions,
} from '@kubernetes/client-node'
import { type Dispatcher, request as sendRequest } from 'undici'
import { ConfigError } from '../errors.ts'
import { scrub } from '../secret.ts'

/** A call of the API server failed; the message names the object. */
class ClusterError extends Error {
  readonly status: number | undefined

  constructor(action: string, cause: unknown) {
    super(`cannot ${action}: ${describeFailure(cause)}`, { cause })
    this.status = cause instanceof ApiException ? cause.code : undefined
  }
}

/**
 * Connects by HTTP/1.1. An API server ends HTTP/2 connections while requests are in flight (GOAWAY: when it shuts
 * down, and by chance with --goaway-chance), and undici fails those requests.
 */
class ClusterConfig extends KubeConfig {
  override createDispatcherOptions(...args: Parameters<KubeConfig['createDispatcherOptions']>) {
    const options = super.createDispatcherOptions(...args)
    if (options.type !== 'agent') return options
    return { ...options, connect: { ...options.connect, allowH2: false } }
  }
}

/** Loads the configuration of this pod, or that of KUBECONFIG. Throws `ConfigError` if there is neither. */
export function loadKubeConfig(): KubeConfig {
  const config = new ClusterConfig()
  try {
    config.loadFromDefault()
  } catch (error) {
    // The further lines of a YAML error quote the file, which has credentials.
    const [reason = ''] = describeFailure(error).split('\n')
    throw new ConfigError(
      `cannot read the kubeconfig file: ${reason}. Fix: correct the file that KUBECONFIG names, or else ~/.kube/config`,
    )
  }
  // The client's default where there is no configuration at all.
  const { server = 'http://localhost:8080' } = config.getCurrentCluster() ?? {}
  if (server === 'http://localhost:8080') {
    throw new ConfigError(
      'no Kubernetes cluster: this is not a pod with a ServiceAccount token, and neither KUBECONFIG nor ~/.kube/config names a cluster. Fix: run it by the chart charts/wimds, or set KUBECONFIG',
    )
  }
  return config
}

/** The kubelet rotates the token and the CA, which stay valid for much longer than this. */
const CREDENTIALS_TTL_MS = 60_000

interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  /** Keeps connections open. */
  readonly dispatcher: Dispatcher | undefined
}

type GetCredentials = () => Promise<Credentials>

/**
 * Caches the credentials and the connections: the Kubernetes client reads the files again, and opens a
 * connection, for each call.
 */
function createCredentials(config: KubeConfig, now = () => performance.now()): GetCredentials {
  let cached: { readonly credentials: Promise<Credentials>; readonly expiresAt: number } | undefined

  async function read(): Promise<Credentials> {
    const request = new RequestContext(`${config.getCurrentCluster()?.server}`, HttpMethod.GET)
    await config.applySecurityAuthentication(request)
    return { headers: request.getHeaders(), dispatcher: request.getDispatcher() }
  }

  return () => {
    if (cached !== undefined && now() < cached.expiresAt) return cached.credentials
    const earlier = cached?.credentials
    const credentials = read()
    cached = { credentials, expiresAt: now() + CREDENTIALS_TTL_MS }
    credentials.then(
      () => earlier?.then(({ dispatcher }) => dispatcher?.close()).catch(() => undefined),
      () => (cached = undefined),
    )
    return credentials
  }
}

/** Options that give each call of the client a time limit. */
export function createCallOptions(timeoutMs: number, shutdown: AbortSignal): ConfigurationOptions {
  const middleware: ObservableMiddleware = {
    pre(request) {
      request.setSignal(withTimeout(timeoutMs, shutdown))
      return new Observable(Promise.resolve(request))
    },
    post: (response) => new Observable(Promise.resolve(response)),
  }
  return { middleware: [middleware], middlewareMergeStrategy: 'append' }
}

interface GetOptions {
  readonly timeoutMs: number
  readonly accept: string
}

export type Get = (path: string, options: GetOptions) => Promise<Dispatcher.ResponseData>

/** Creates a GET whose body the caller reads: the Kubernetes client reads every body whole, of any size. */
export function createGet(config: KubeConfig, shutdown: AbortSignal): Get {
  const getCredentials = createCredentials(config)
  return async (path, { timeoutMs, accept }) => {
    const { headers, dispatcher } = await getCredentials()
    return await sendRequest(`${config.getCurrentCluster()?.server}${path}`, {
      headers: { ...headers, Accept: accept },
      signal: withTimeout(timeoutMs, shutdown),
      // The dispatcher's default of five minutes without a byte would break a watch on which nothing happens.
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      ...(dispatcher && { dispatcher }),
    })
  }
}

const withTimeout = (ms: number, shutdown: AbortSignal) =>
  AbortSignal.any([shutdown, AbortSignal.timeout(ms)])

/** Adds the content type of a JSON Patch to the options of a call. */
export const setJsonPatch = (call: ConfigurationOptions) =>
  setHeaderOptions('Content-Type', PatchStrategy.JsonPatch, call)

/** Makes the call. Throws a `ClusterError`, whose message begins with the action. */
export async function attempt<T>(action: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw new ClusterError(action, error)
  }
}

/** Returns true if the API server answered with the status. */
export function hasStatus(error: unknown, status: number): boolean {
  return error instanceof ClusterError && error.status === status
}

/** Describes the failure in one line: the client's own message holds the whole response, headers included. */
function describeFailure(error: unknown): string {
  if (error instanceof ApiException) return `the API server answered ${error.code}`
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return 'the API server did not answer in time'
  // Its message holds a piece of what was not JSON.
  if (error instanceof SyntaxError) return 'the API server did not send JSON'
  if (!(error instanceof Error)) return 'unknown reason'
  const { cause } = error
  return scrub(cause instanceof Error ? `${error.message} (${cause.message})` : error.message)
}
