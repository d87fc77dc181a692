/** Finds the API server of this pod's cluster, and reads the credentials for it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createConnect } from '../lib/connect.ts'
import { createAgent, createHandshake } from '../lib/connector.ts'
import { ConfigError } from '../lib/errors.ts'
import { formatUrlHost } from '../lib/hosts.ts'
import { API_ACCESS_DIRECTORY } from './pod.ts'

const CONNECT_TIMEOUT_MS = 10_000

/** Returns the address of the API server, and what its calls need. Throws a `ConfigError` outside of a pod. */
export function findCluster(env: NodeJS.ProcessEnv) {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  if (!host) {
    throw new ConfigError({
      problem: 'no Kubernetes cluster: this is not a pod',
      fix: 'install the chart charts/wimds, which runs this command in a pod',
    })
  }
  const directory = findApiAccess(env)
  const read = (file: string) => readFile(join(directory, file), 'utf8')
  return {
    origin: `https://${formatUrlHost(host)}:${port}`,
    /** Reads the token, which the kubelet rotates. */
    readHeaders: async () => ({ Authorization: `Bearer ${(await read('token')).trim()}` }),
    /** Keeps connections open, and reads the CA for each new connection. */
    dispatcher: createAgent({
      connect: createConnect(),
      handshake: async (...handshake) =>
        createHandshake({ ca: await read('ca.crt') })(...handshake),
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    }),
  }
}

/** Returns the directory with the CA and the token. A test sets KUBERNETES_API_ACCESS to another directory. */
export function findApiAccess({ KUBERNETES_API_ACCESS }: NodeJS.ProcessEnv): string {
  return KUBERNETES_API_ACCESS ?? API_ACCESS_DIRECTORY
}
