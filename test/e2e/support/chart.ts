/** The chart with the images under test. */
import { IMAGES } from './environment.ts'
import { run } from './run.ts'

export const RELEASE = 'wimds'
export const CHART = 'charts/wimds'

/** Runs helm; what it prints. */
export const helm = async (...args: readonly string[]) => (await run('helm', args)).stdout

/** The flags of helm that set the images under test. */
export function imageValues(): string[] {
  const [repository = '', tag = ''] = IMAGES.sidecar.split(':')
  const [redirect = '', redirectTag = ''] = IMAGES.redirect.split(':')
  return Object.entries({
    'image.repository': repository,
    'image.tag': tag,
    'redirectImage.repository': redirect,
    'redirectImage.tag': redirectTag,
  }).map(([name, value]) => `--set=${name}=${value}`)
}

/** Installs it in the namespace `wimds`, which must exist, and waits until its webhook serves. */
export async function installChart(): Promise<void> {
  const values = [
    ...imageValues(),
    // Every namespace has it, with the cluster's CA.
    '--set=injection.ca.configMap=kube-root-ca.crt',
    '--set=drain=3s',
  ]
  await helm('install', RELEASE, CHART, '--namespace=wimds', '--wait', '--timeout=90s', ...values)
}
