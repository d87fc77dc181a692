/** Pods of a simulated cluster, whose service accounts all may use one application. */
import { randomUUID } from 'node:crypto'
import type { ServedPod } from '../../../src/node/broker/messages.ts'
import { ORDERS, TENANT_ID } from '../../../src/tools/simulator/defaults.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { request, roundTrip } from '../../fixtures/connection.ts'
import { type ReadFile, TestAgent } from './agent.ts'

export const ACCOUNTS = ['orders', 'billing', 'reports', 'stock']
export const TOKEN_FILE = '/var/run/secrets/wimds/token'
export const VAULT = 'https://vault.azure.net'
export const TOKEN = `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${VAULT}`

interface Cluster extends AsyncDisposable {
  readonly simulator: Simulator
  /** The projected token of each service account of the namespace shop. */
  readonly tokens: ReadonlyMap<string, string>
  readonly podOf: (serviceAccount: string, env?: Readonly<Record<string, string>>) => ServedPod
  /** Starts a broker; by default every pod has the projected token of its own service account. */
  readonly start: (read?: ReadFile, env?: Readonly<Record<string, string>>) => TestAgent
  readonly readOwnToken: ReadFile
}

export async function createCluster(): Promise<Cluster> {
  const simulator = await createSimulator({
    directory: {
      applications: [
        {
          ...ORDERS,
          federatedCredentials: ACCOUNTS.map((account) => ({
            subject: `system:serviceaccount:shop:${account}`,
          })),
        },
      ],
    },
  })
  const tokens = new Map<string, string>()
  for (const serviceAccount of ACCOUNTS) {
    const token = await simulator.issuer.sign({ namespace: 'shop', serviceAccount })
    tokens.set(serviceAccount, token.reveal())
  }
  const readOwnToken: ReadFile = ({ serviceAccount }, path) =>
    path === TOKEN_FILE ? tokens.get(serviceAccount) : undefined
  const settings = {
    AZURE_CLIENT_ID: ORDERS.clientId,
    AZURE_TENANT_ID: TENANT_ID,
    AZURE_AUTHORITY_HOST: simulator.authorityHost,
    AZURE_FEDERATED_TOKEN_FILE: TOKEN_FILE,
    WIMDS_LISTEN: '127.0.0.1:64169',
  }
  return {
    simulator,
    tokens,
    readOwnToken,
    podOf: (serviceAccount, env = {}) => {
      const uid = randomUUID()
      return {
        uid,
        namespace: 'shop',
        name: `${serviceAccount}-${uid.slice(0, 5)}`,
        serviceAccount,
        env: { ...settings, WIMDS_POD_UID: uid, ...env },
      }
    },
    start: (read = readOwnToken, env = {}) =>
      new TestAgent(
        {
          AZURE_AUTHORITY_HOST: simulator.authorityHost,
          WIMDS_CA_FILE: simulator.caFile,
          WIMDS_EXCHANGE_TIMEOUT: '30s',
          ...env,
        },
        read,
      ),
    [Symbol.asyncDispose]: () => simulator.close(),
  }
}

/** Sends a GET to the pod at this port. */
export async function ask(port: number, path = TOKEN) {
  const { status, body } = await roundTrip(port, request(path))
  return { status, body: JSON.parse(body) }
}

/** Returns the access token that the pod gets, or the error. */
export async function tokenOf(port: number): Promise<string> {
  const { body } = await ask(port)
  return String(body.access_token ?? body.error_description)
}
