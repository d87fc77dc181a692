/** Reads the credentials for the API server: a token, a certificate, or what a plugin prints. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import * as z from 'zod/mini'
import { errorMessage } from '../lib/describe-error.ts'
import { parseJson } from '../lib/json.ts'
import { Agent, type Dispatcher, ProxyAgent } from '../lib/undici.ts'
import { type KubeConfig, optionalText } from './kube-config.ts'

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  /** Keeps connections open. */
  readonly dispatcher: Dispatcher
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

const ExecCredential = z.object({
  status: z.object({
    token: optionalText,
    clientCertificateData: optionalText,
    clientKeyData: optionalText,
  }),
})

/** A plugin may ask Entra ID, and must not wait for a person. */
const PLUGIN_TIMEOUT_MS = 30_000

/** Throws what the plugin writes to standard error. Its output, which has the token, is in no message. */
async function runPlugin(
  { apiVersion, command, args, env }: NonNullable<KubeConfig['user']['exec']>,
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
