/** The kinds of pods that are compared: alone, injected in each mode, and with the azure-workload-identity proxy. */
import { azwiPod } from '../../test/e2e/support/azwi.ts'
import { AZWI_PROXY_IMAGE, IMAGES } from '../../test/e2e/support/environment.ts'
import {
  appPod,
  curl,
  injectedPods,
  METADATA,
  originIn,
  type Mode,
  serviceAccount,
  STAY,
  TOKEN_PATH,
} from '../../test/e2e/support/workloads.ts'

export const CLIENT = '11111111-1111-4111-8111-111111111111'
export const ACCOUNT = serviceAccount('app', CLIENT)

export interface Kind {
  readonly name: string
  /** Whether the app requests a token and logs the status of the reply. */
  readonly isAsking: boolean
  /** The name of the sidecar's container, where the pod has one. */
  readonly sidecar?: string
  readonly manifests: (pods: readonly string[]) => Promise<readonly (object | string)[]>
}

export const ALONE = 'alone'
const BARE: Kind = {
  name: ALONE,
  isAsking: false,
  manifests: async (names) => names.map((name) => appPod({ name, account: 'app', script: STAY })),
}

/** Returns the kind of pods that are injected in the mode. */
const injected = (mode: Mode): Kind => ({
  name: mode,
  isAsking: true,
  ...(mode !== 'node' && { sidecar: 'wimds' }),
  manifests: async (names) => {
    const script = askOnce(originIn(mode))
    const pods = names.map((name) => appPod({ name, account: 'app', script }))
    return [await injectedPods(mode, [ACCOUNT], pods)]
  },
})

/** The images of wimds in a pod that the azure-workload-identity webhook has injected. */
const DROP_IN: Kind = {
  name: 'drop-in',
  isAsking: true,
  sidecar: 'azwi-proxy',
  manifests: async (names) => names.map((name) => azwiPod({ ...APP, name })),
}

/** What that proxy's own init container runs (init/init-iptables.sh of v1.6.0), in the image with a shell. */
const IPTABLES = [
  '-N AZWI_PROXY_OUTPUT',
  '-N AZWI_PROXY_REDIRECT',
  '-A AZWI_PROXY_REDIRECT -p tcp -j REDIRECT --to-port 8000',
  '-A OUTPUT -p tcp -d 169.254.169.254 --dport 80 -j AZWI_PROXY_OUTPUT',
  '-A AZWI_PROXY_OUTPUT -m owner --uid-owner 1501 -j ACCEPT',
  '-A AZWI_PROXY_OUTPUT -j AZWI_PROXY_REDIRECT',
  '--list',
]

/** The azure-workload-identity proxy itself. */
export const INCUMBENT = 'azure-workload-identity'

function createIncumbent(proxyImage: string): Kind {
  const script = IPTABLES.map((rule) => `iptables -t nat ${rule}`).join('\n')
  const proxyInit = { image: IMAGES.around, command: ['/bin/sh', '-c', script] }
  return {
    name: INCUMBENT,
    isAsking: true,
    sidecar: 'azwi-proxy',
    manifests: async (names) =>
      names.map((name) => azwiPod({ ...APP, proxyImage, proxyInit, name })),
  }
}

/** Returns the app's script, which requests a token and logs the status of the reply. */
const askOnce = (origin: string) => `${curl(TOKEN_PATH, origin)} | tail -n 1; ${STAY}`
const APP = { clientId: CLIENT, account: 'app', script: askOnce(METADATA) }

/** The kinds in the order in which they are measured. */
export const KINDS: readonly Kind[] = [
  BARE,
  injected('env'),
  injected('loopback'),
  injected('nft'),
  injected('node'),
  DROP_IN,
  ...(AZWI_PROXY_IMAGE === undefined ? [] : [createIncumbent(AZWI_PROXY_IMAGE)]),
]
