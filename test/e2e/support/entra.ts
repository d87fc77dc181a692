/** Controls and observes the simulated Entra ID. */
import { createLocalJWKSet, jwtVerify } from 'jose'
import { z } from 'zod'
import { curlInCluster, ENTRA_HOST } from './around.ts'
import { clusterIssuer } from './issuer.ts'
import { kubectl } from './run.ts'

export const TENANT_ID = '22222222-2222-4222-8222-222222222222'
export const AUTHORITY = `https://${ENTRA_HOST}`
export const VAULT = 'https://vault.azure.net'

/** An application with a federated credential for each of its service accounts, as NAMESPACE:NAME. */
export interface Application {
  readonly clientId: string
  readonly serviceAccounts: readonly string[]
}

export interface Entra {
  /** Replaces all applications. */
  readonly setApplications: (...applications: readonly Application[]) => Promise<void>
  /** Returns the client id of a token that Entra has signed for the vault. Throws for any other. */
  readonly clientIdOf: (token: unknown) => Promise<string>
  /** Returns how many tokens were issued since the last `setApplications`. */
  readonly issued: () => Promise<number>
}

const Counters = z.object({ counters: z.object({ issued: z.number() }) })
const Directory = z.looseObject({})
const Keys = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })

/** Sends a request to the simulator, such as to its control endpoints, and returns the JSON of the reply. */
async function call(method: 'GET' | 'PUT' | 'DELETE', path: string, body?: unknown) {
  const data = body === undefined ? [] : ['--data-binary', '@-']
  const input = JSON.stringify(body) ?? ''
  const url = `https://127.0.0.1${path}`
  const reply = await curlInCluster(['-kf', '-X', method, ...data, url], { input })
  const parsed: unknown = JSON.parse(reply)
  return parsed
}

export async function connectToEntra(): Promise<Entra> {
  const issuer = await clusterIssuer()
  const keys = Keys.parse(await call('GET', `/${TENANT_ID}/discovery/v2.0/keys`))
  const keySet = createLocalJWKSet(keys)
  return {
    async setApplications(...applications) {
      const directory = Directory.parse(await call('GET', '/simulator/directory'))
      await call('PUT', '/simulator/directory', {
        ...directory,
        applications: applications.map(({ clientId, serviceAccounts }) => ({
          clientId,
          tenantId: TENANT_ID,
          federatedCredentials: serviceAccounts.map((name) => ({
            issuer,
            subject: `system:serviceaccount:${name}`,
          })),
        })),
      })
      await call('DELETE', '/simulator/requests')
    },
    async clientIdOf(token) {
      const { payload } = await jwtVerify(String(token), keySet, { audience: VAULT })
      return String(payload['appid'])
    },
    issued: async () => Counters.parse(await call('GET', '/simulator/requests')).counters.issued,
  }
}

/** Reads the cluster's CA, which every namespace has in a ConfigMap. */
export async function clusterCa(): Promise<string> {
  return await kubectl([
    'get',
    'configmap',
    'kube-root-ca.crt',
    '--namespace=default',
    String.raw`--output=jsonpath={.data.ca\.crt}`,
  ])
}
