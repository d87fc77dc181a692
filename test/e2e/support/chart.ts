/** The chart with the images under test. */
import { AUTHORITY } from './entra.ts'
import { IMAGES } from './environment.ts'
import { eventually } from './eventually.ts'
import { run } from './run.ts'

export const RELEASE = 'wimds'
export const CHART = 'charts/wimds'

/** Runs helm, and returns what it prints. */
export const helm = async (...args: readonly string[]) => (await run('helm', args)).stdout

/** The images of one version. */
export interface Images {
  readonly sidecar: string
  readonly redirect: string
  readonly cluster: string
  readonly gate: string
}

/** Returns the flags of helm that set the images, by default the images under test. */
export function imageValues(images: Images = IMAGES): string[] {
  const names = {
    image: images.sidecar,
    redirectImage: images.redirect,
    clusterImage: images.cluster,
    gateImage: images.gate,
  }
  return Object.entries(names).flatMap(([name, image]) => {
    const [repository = '', tag = ''] = image.split(':')
    return [`--set=${name}.repository=${repository}`, `--set=${name}.tag=${tag}`]
  })
}

/** The flags of helm for the address of the simulated Entra ID and its CA, which this ConfigMap of every namespace has. */
export const ENTRA_VALUES = [
  '--set=injection.ca.configMap=kube-root-ca.crt',
  `--set=injection.env.AZURE_AUTHORITY_HOST=${AUTHORITY}`,
]

/** Installs a chart in the namespace `wimds`, which must exist, and waits until its webhook serves. */
export async function installChart(
  chart = CHART,
  images: Images = IMAGES,
  more: readonly string[] = [],
): Promise<void> {
  const values = [...more, ...imageValues(images), ...ENTRA_VALUES]
  await helm('install', RELEASE, chart, '--namespace=wimds', '--wait', '--timeout=90s', ...values)
  await untilWebhookServes()
}

export const untilWebhookServes = () =>
  eventually('the API server reaches the webhook', hasCalledWebhook)

/**
 * Returns true once the webhook has answered a review, in any way. Helm waits only until the pods are ready, and kube-proxy
 * routes the Service to them some moments later.
 */
async function hasCalledWebhook(): Promise<true | undefined> {
  const pod = ['probe', '--image=probe', '--annotations=wimds.io/inject=true', '--dry-run=server']
  const { stderr } = await run('kubectl', ['run', '--namespace=default', ...pod], { allow: [0, 1] })
  return stderr.includes('failed calling webhook') ? undefined : true
}
