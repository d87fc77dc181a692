/** Creates the applications of the tests and injects them. */
import { stringify } from 'yaml'
import { AUTHORITY, TENANT_ID, VAULT } from './entra.ts'
import { CLUSTER_CA_IN_PODS, IMAGES } from './environment.ts'
import { wimds } from './run.ts'
import { DEFAULT_PORT, type RoutingMode } from '../../../src/lib/sidecar-interface.ts'

export const METADATA = 'http://169.254.169.254'

/** The sidecar's own address, which is the only one in mode env. */
const SIDECAR = `http://127.0.0.1:${DEFAULT_PORT}`
export const originIn = (mode: RoutingMode) => (mode === 'env' ? SIDECAR : METADATA)

export const TOKEN_PATH = `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${VAULT}`

/** Returns a shell command that prints the reply of the metadata service, and its status on a second line. */
export const curl = (path: string, origin = METADATA) =>
  String.raw`curl -sS -m 20 -w '\n%{http_code}\n' -H Metadata:true '${origin}${path}'`

/** A shell command that runs until SIGTERM, and then ends at once. */
export const STAY = `trap 'exit 0' TERM; while :; do sleep 0.2; done`

interface AppPod {
  readonly name: string
  /** The script of the app's container. */
  readonly script: string
  /** What an init container runs in a shell before the app. */
  readonly initScript?: string
  /** Name of the ServiceAccount. */
  readonly account?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  /** More fields of the pod's spec. */
  readonly spec?: object
  /** More fields of the app's container. */
  readonly container?: object
}

const shell = (name: string, script: string) => ({
  name,
  image: IMAGES.around,
  command: ['/bin/sh', '-c', script],
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
})

/** Returns a pod of the suite's image that Pod Security `restricted` admits. */
export function appPod({ name, script, initScript, account = 'default', ...more }: AppPod) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name, ...more.labels }, annotations: { ...more.annotations } },
    spec: {
      serviceAccountName: account,
      terminationGracePeriodSeconds: 15,
      securityContext: {
        runAsUser: 1000,
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      ...(initScript !== undefined && { initContainers: [shell('init', initScript)] }),
      containers: [{ ...shell('app', script), ...more.container }],
      ...more.spec,
    },
  }
}

/** Returns the application with an SDK of 2021. */
export function legacyPod(name: string, account: string) {
  return appPod({
    name,
    script: '',
    account,
    container: { command: ['node', '/app/get-token.mjs'] },
  })
}

/** Returns a ServiceAccount that is annotated with its identity. */
export function serviceAccount(name: string, clientId: string) {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      name,
      annotations: {
        'azure.workload.identity/client-id': clientId,
        'azure.workload.identity/tenant-id': TENANT_ID,
      },
    },
  }
}

/** The identity of the pods of a test file with a single identity. */
export const CLIENT = '11111111-1111-4111-8111-111111111111'
export const ACCOUNT = serviceAccount('app', CLIENT)

export type Mode = 'env' | 'loopback' | 'nft' | 'node'

/** The flags of `wimds inject` for the images under test. */
export const IMAGE_FLAGS = [
  `--image=${IMAGES.sidecar}`,
  `--redirect-image=${IMAGES.redirect}`,
  `--gate-image=${IMAGES.gate}`,
]

/** The flags of `wimds inject` for the simulated Entra ID: its address, and its CA. */
export const AUTHORITY_FLAG = `--env=AZURE_AUTHORITY_HOST=${AUTHORITY}`
export const ENTRA_FLAGS = [AUTHORITY_FLAG, `--env=WIMDS_CA_FILE=${CLUSTER_CA_IN_PODS}`]

/**
 * Injects the pods by `wimds inject`, which finds their identities in the accounts. The result has no accounts, since they are in
 * the cluster already.
 */
export async function injectedPods(
  mode: Mode,
  accounts: readonly object[],
  pods: readonly object[],
  flags: readonly string[] = [],
): Promise<string> {
  // In mode node the broker, not the pod, has the CA.
  const entra = mode === 'node' ? [AUTHORITY_FLAG] : ENTRA_FLAGS
  const input = [...accounts, ...pods].map((object) => stringify(object)).join('---\n')
  const args = ['inject', `--mode=${mode}`, ...IMAGE_FLAGS, ...entra, ...flags, '-']
  const { stdout } = await wimds(args, { input })
  return stdout.split('---\n').slice(accounts.length).join('---\n')
}

export interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** Parses the output of `curl` above: status and JSON. */
export function replyIn(output: string): Reply {
  const lines = output.trim().split('\n')
  const status = Number(lines.at(-1))
  const body: Record<string, unknown> = JSON.parse(lines.at(-2) ?? '')
  return { status, body }
}
