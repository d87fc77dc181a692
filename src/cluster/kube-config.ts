/** Finds the API server and the credentials for it, of this pod or of a kubeconfig file. */
import { execFile } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Agent, type Dispatcher, ProxyAgent } from '../lib/undici.ts'
import { parse } from 'yaml'
import * as z from 'zod/mini'
import { errorMessage } from '../lib/describe-error.ts'
import { ConfigError } from '../lib/errors.ts'
import { parseJson } from '../lib/json.ts'

/** An empty text counts as missing. */
const text = z.optional(
  z.pipe(
    z.nullish(z.string()),
    z.transform((value) => value || undefined),
  ),
)

const Cluster = z.object({
  server: z.pipe(
    z.string(),
    z.transform((url) => url.replace(/\/$/, '')),
  ),
  'proxy-url': text,
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': z.optional(z.boolean()),
  'tls-server-name': text,
})

const Plugin = z.object({
  apiVersion: z.string(),
  command: z.string(),
  args: z.nullish(z.array(z.string())),
  env: z.nullish(z.array(z.object({ name: z.string(), value: z.string() }))),
})

const User = z.object({
  token: text,
  tokenFile: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  exec: z.optional(Plugin),
})

const Context = z.object({ cluster: z.string(), user: text })

const File = z.object({
  'current-context': z.string(),
  contexts: z.array(z.object({ name: z.string(), context: Context })),
  clusters: z.array(z.object({ name: z.string(), cluster: Cluster })),
  users: z.nullish(z.array(z.object({ name: z.string(), user: User }))),
})

const ExecCredential = z.object({
  status: z.object({ token: text, clientCertificateData: text, clientKeyData: text }),
})

export interface KubeConfig {
  readonly cluster: z.infer<typeof Cluster>
  readonly user: z.infer<typeof User>
  /** Relative paths are below it. */
  readonly directory: string
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  /** Keeps connections open. */
  readonly dispatcher: Dispatcher
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * Reads the file that KUBECONFIG names, else finds the cluster of this pod, else reads ~/.kube/config. Throws a
 * `ConfigError` if there is none, or the file cannot be used.
 */
export function loadKubeConfig(env: NodeJS.ProcessEnv): KubeConfig {
  let config: KubeConfig | undefined
  try {
    config = findKubeConfig(env)
  } catch (error) {
    // A further line of a YAML error quotes the file, which has credentials.
    const [line = ''] = errorMessage(error).split('\n')
    throw new ConfigError({
      problem: `cannot read the kubeconfig file: ${line}`,
      fix: 'correct the file that KUBECONFIG names, or else ~/.kube/config',
    })
  }
  if (config !== undefined) return config
  throw new ConfigError({
    problem:
      'no Kubernetes cluster: this is not a pod with a ServiceAccount token, and neither KUBECONFIG nor ~/.kube/config names a cluster',
    fix: 'run it by the chart charts/wimds, or set KUBECONFIG',
  })
}

function findKubeConfig(env: NodeJS.ProcessEnv): KubeConfig | undefined {
  const named = env['KUBECONFIG'] ?? ''
  if (named !== '') return readConfigFile(named)
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = env
  const tokenFile = join(SERVICE_ACCOUNT, 'token')
  if (host !== '' && isReadable(tokenFile)) {
    const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
    const cluster = { server, 'certificate-authority': join(SERVICE_ACCOUNT, 'ca.crt') }
    return { cluster, user: { tokenFile }, directory: SERVICE_ACCOUNT }
  }
  const own = join(env['HOME'] ?? homedir(), '.kube/config')
  return isReadable(own) ? readConfigFile(own) : undefined
}

/** Returns false for a path that the permission model of Node forbids, too. */
function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function readConfigFile(path: string): KubeConfig {
  const directory = dirname(path)
  const yaml = readFileSync(path, 'utf8')
  const parsed = File.safeParse(parse(yaml, { prettyErrors: false }))
  if (!parsed.success) {
    throw new Error(`${parsed.error.issues[0]?.path.join('.')} is missing or has the wrong type`)
  }
  const { 'current-context': current, contexts, clusters, users } = parsed.data
  const context = contexts.find(({ name }) => name === current)?.context
  const cluster = clusters.find(({ name }) => name === context?.cluster)?.cluster
  if (cluster === undefined) throw new Error(`the context ${current} has no cluster`)
  const user = users?.find(({ name }) => name === context?.user)?.user ?? {}
  return { cluster, user, directory }
}

/** Reads the certificates and the token, or runs the credential plugin. */
export async function readCredentials(config: KubeConfig): Promise<Credentials> {
  const { cluster, user, directory } = config
  const read = (path: string) => readFile(resolve(directory, path), 'utf8')
  async function readPem(
    source: Readonly<Record<string, unknown>>,
    name: string,
  ): Promise<string | undefined> {
    const [data, path] = [source[`${name}-data`], source[name]]
    if (typeof data === 'string') return Buffer.from(data, 'base64').toString()
    return typeof path === 'string' ? read(path) : undefined
  }

  const plugin = user.exec && (await runPlugin(user.exec, directory))
  const fileToken = user.tokenFile === undefined ? user.token : (await read(user.tokenFile)).trim()
  const token = plugin?.token ?? fileToken
  const ca = await readPem(cluster, 'certificate-authority')
  const cert = plugin?.clientCertificateData ?? (await readPem(user, 'client-certificate'))
  const key = plugin?.clientKeyData ?? (await readPem(user, 'client-key'))
  const connect = {
    // An API server ends HTTP/2 connections while requests are in flight (GOAWAY: when it shuts down, and by chance
    // with --goaway-chance), and undici fails those requests.
    allowH2: false,
    rejectUnauthorized: cluster['insecure-skip-tls-verify'] !== true,
    servername: cluster['tls-server-name'],
    ca,
    cert,
    key,
  }
  const tls = Object.fromEntries(
    Object.entries(connect).filter(([, setting]) => setting !== undefined),
  )
  const proxy = cluster['proxy-url']
  return {
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    dispatcher: proxy
      ? new ProxyAgent({ uri: proxy, requestTls: tls })
      : new Agent({ connect: tls }),
  }
}

/** A plugin may ask Entra ID, and must not wait for a person. */
const PLUGIN_TIMEOUT_MS = 30_000

/** Throws what the plugin writes to standard error. Its output, which has the token, is in no message. */
async function runPlugin(
  { apiVersion, command, args, env }: z.infer<typeof Plugin>,
  directory: string,
) {
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } }
  const variables = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]))
  const options = {
    env: { ...process.env, ...variables, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    timeout: PLUGIN_TIMEOUT_MS,
  }
  const program = command.includes('/') ? resolve(directory, command) : command
  const running = promisify(execFile)(program, args ?? [], options)
  running.child.stdin?.end()
  const { stdout } = await running.catch((error: Error & { stderr?: string }) => {
    throw new Error(error.stderr?.trim() || errorMessage(error), { cause: error })
  })
  const { success, data } = ExecCredential.safeParse(parseJson(stdout))
  if (!success) throw new Error(`the credential plugin ${command} did not print an ExecCredential`)
  return data.status
}
