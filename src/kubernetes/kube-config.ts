/** Finds the API server of this pod or of a kubeconfig file. */
import { accessSync, constants, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod/mini'
import { errorMessage } from '../lib/describe-error.ts'
import { ConfigError } from '../lib/errors.ts'
import { formatUrlHost } from '../lib/hosts.ts'

/** An empty text counts as missing. */
export const optionalText = z.optional(
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
  'proxy-url': optionalText,
  'certificate-authority': optionalText,
  'certificate-authority-data': optionalText,
  'insecure-skip-tls-verify': z.optional(z.boolean()),
  'tls-server-name': optionalText,
})

const Plugin = z.object({
  apiVersion: z.string(),
  command: z.string(),
  args: z.nullish(z.array(z.string())),
  env: z.nullish(z.array(z.object({ name: z.string(), value: z.string() }))),
})

const User = z.object({
  token: optionalText,
  tokenFile: optionalText,
  'client-certificate': optionalText,
  'client-certificate-data': optionalText,
  'client-key': optionalText,
  'client-key-data': optionalText,
  exec: z.optional(Plugin),
})

const Context = z.object({ cluster: z.string(), user: optionalText })

const File = z.object({
  'current-context': z.string(),
  contexts: z.array(z.object({ name: z.string(), context: Context })),
  clusters: z.array(z.object({ name: z.string(), cluster: Cluster })),
  users: z.nullish(z.array(z.object({ name: z.string(), user: User }))),
})

export interface KubeConfig {
  readonly cluster: z.infer<typeof Cluster>
  readonly user: z.infer<typeof User>
  /** Relative paths are below it. */
  readonly directory: string
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
    const server = `https://${formatUrlHost(host)}:${port}`
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
