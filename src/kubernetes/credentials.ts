/** Finds the API server of this pod's cluster, or the one in KUBECONFIG, and reads the credentials for it. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod/mini'
import { errorMessage } from '../lib/describe-error.ts'
import { ConfigError } from '../lib/errors.ts'
import { formatUrlHost } from '../lib/hosts.ts'
import { Agent, buildConnector, type Dispatcher } from '../lib/undici.ts'
import { API_ACCESS_DIRECTORY } from './pod.ts'

const Text = z.optional(z.string())

const Cluster = z.object({
  server: z.string(),
  'certificate-authority': Text,
  'certificate-authority-data': Text,
  'insecure-skip-tls-verify': z.optional(z.boolean()),
})

const User = z.object({
  token: Text,
  tokenFile: Text,
  'client-certificate': Text,
  'client-certificate-data': Text,
  'client-key': Text,
  'client-key-data': Text,
})

const KubeConfigFile = z.object({
  'current-context': z.string(),
  contexts: z.array(
    z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: Text }) }),
  ),
  clusters: z.array(z.object({ name: z.string(), cluster: Cluster })),
  users: z.optional(z.array(z.object({ name: z.string(), user: User }))),
})

/** The fields of a kubeconfig file that are used: a webhook and an agent have no credential plugin and no proxy. */
export interface KubeConfig {
  readonly cluster: z.infer<typeof Cluster>
  readonly user: z.infer<typeof User>
  /** Relative paths are below it. */
  readonly directory: string
}

/** Reads the file that KUBECONFIG names, or else finds the cluster of this pod. Throws a `ConfigError` if it cannot. */
export function loadKubeConfig(env: NodeJS.ProcessEnv): KubeConfig {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  if (env['KUBECONFIG']) return readKubeConfig(env['KUBECONFIG'])
  if (host) {
    const server = `https://${formatUrlHost(host)}:${port}`
    return {
      cluster: { server, 'certificate-authority': 'ca.crt' },
      user: { tokenFile: 'token' },
      directory: API_ACCESS_DIRECTORY,
    }
  }
  throw new ConfigError({
    problem: 'no Kubernetes cluster: this is not a pod, and KUBECONFIG names no file',
    fix: 'run it by the chart charts/wimds, or set KUBECONFIG',
  })
}

function readKubeConfig(path: string): KubeConfig {
  try {
    const file = KubeConfigFile.safeParse(
      parse(readFileSync(path, 'utf8'), { prettyErrors: false }),
    )
    if (!file.success) {
      throw new Error(`${file.error.issues[0]?.path.join('.')} is missing or has the wrong type`)
    }
    const { 'current-context': current, contexts, clusters, users } = file.data
    const context = contexts.find(({ name }) => name === current)?.context
    const cluster = clusters.find(({ name }) => name === context?.cluster)?.cluster
    if (cluster === undefined) throw new Error(`the context ${current} has no cluster`)
    const user = users?.find(({ name }) => name === context?.user)?.user ?? {}
    return { cluster, user, directory: dirname(path) }
  } catch (error) {
    // A further line of a YAML error quotes the file, which has credentials.
    const [line = ''] = errorMessage(error).split('\n')
    throw new ConfigError({
      problem: `cannot read the kubeconfig file: ${line}`,
      fix: 'correct the file that KUBECONFIG names',
    })
  }
}

export interface Credentials {
  /** Reads the token, which the kubelet rotates. */
  readonly readHeaders: () => Promise<Readonly<Record<string, string>>>
  /** Keeps connections open, and reads the certificates for each new one. */
  readonly dispatcher: Dispatcher
}

export function createCredentials({ cluster, user, directory }: KubeConfig): Credentials {
  const read = async (path: string | undefined, data?: string) => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString()
    return path === undefined ? undefined : await readFile(resolve(directory, path), 'utf8')
  }
  const readTls = async () => ({
    // An API server ends HTTP/2 connections while requests are in flight (GOAWAY: when it shuts down, and by chance
    // with --goaway-chance), and undici fails those requests.
    allowH2: false,
    rejectUnauthorized: cluster['insecure-skip-tls-verify'] !== true,
    ca: await read(cluster['certificate-authority'], cluster['certificate-authority-data']),
    cert: await read(user['client-certificate'], user['client-certificate-data']),
    key: await read(user['client-key'], user['client-key-data']),
  })
  async function connect(options: buildConnector.Options, callback: buildConnector.Callback) {
    try {
      buildConnector(await readTls())(options, callback)
    } catch (error) {
      callback(new Error(errorMessage(error)), null)
    }
  }
  return {
    readHeaders: async () => {
      const token = (await read(user.tokenFile))?.trim() ?? user.token
      return token === undefined ? {} : { Authorization: `Bearer ${token}` }
    },
    dispatcher: new Agent({ connect: (options, callback) => void connect(options, callback) }),
  }
}
