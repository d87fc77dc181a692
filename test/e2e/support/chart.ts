/** The chart with the images under test. */
import { IMAGES } from './environment.ts'
import { eventually } from './eventually.ts'
import { run } from './run.ts'

export const RELEASE = 'wimds'
export const CHART = 'charts/wimds'

/** Runs helm; what it prints. */
export const helm = async (...args: readonly string[]) => (await run('helm', args)).stdout

/** The images of one version. */
type Images = Readonly<Record<'sidecar' | 'redirect', string>>

/** The flags of helm that set the images, those under test by default. */
export function imageValues(images: Images = IMAGES): string[] {
  const [repository = '', tag = ''] = images.sidecar.split(':')
  const [redirect = '', redirectTag = ''] = images.redirect.split(':')
  return Object.entries({
    'image.repository': repository,
    'image.tag': tag,
    'redirectImage.repository': redirect,
    'redirectImage.tag': redirectTag,
  }).map(([name, value]) => `--set=${name}=${value}`)
}

/** Installs a chart in the namespace `wimds`, which must exist, and waits until its webhook serves. */
export async function installChart(chart = CHART, images: Images = IMAGES): Promise<void> {
  const values = [
    ...imageValues(images),
    // Every namespace has it, with the cluster's CA.
    '--set=injection.ca.configMap=kube-root-ca.crt',
    '--set=drain=3s',
  ]
  await helm('install', RELEASE, chart, '--namespace=wimds', '--wait', '--timeout=90s', ...values)
  await eventually('the API server reaches the webhook', hasCalledWebhook)
}

/**
 * Returns true once the webhook has answered, whatever it said. Helm waits for ready pods, and kube-proxy leads their
 * Service to them some moments later.
 */
async function hasCalledWebhook(): Promise<true | undefined> {
  const pod = ['probe', '--image=probe', '--annotations=wimds.io/inject=true', '--dry-run=server']
  const { stderr } = await run('kubectl', ['run', '--namespace=default', ...pod], { allow: [0, 1] })
  return stderr.includes('failed calling webhook') ? undefined : true
}
