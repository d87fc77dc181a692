/** Upgrades the chart by each version of Helm, after AKS's admissions enforcer has changed the webhook's configuration. */
import { afterEach, beforeAll, expect, test } from 'vitest'
import { type Helm, HELMS } from '../chart/helm.ts'
import { enforceAdmissions } from './support/aks.ts'
import { CHART, imageValues, RELEASE } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { uninstallAgent } from './support/node-agent.ts'
import { run } from './support/run.ts'

const cluster = testCluster('wimds-e2e-helm')
const IN_WIMDS = '--namespace=wimds'
const FLAGS = [IN_WIMDS, ...imageValues(), '--set=replicaCount=1']
const major = ({ version }: Helm) => version.slice(1).split('.')[0]

beforeAll(async () => {
  await uninstallAgent()
  await cluster.another('wimds', 'restricted')
})

afterEach(() => HELMS[0]?.run('uninstall', RELEASE, IN_WIMDS, '--ignore-not-found', '--wait'))

// oxlint-disable-next-line vitest/expect-expect -- it is in the list of what was skipped
test.skipIf(HELMS.some((helm) => major(helm) === '4'))('Helm 4 is tested', ({ skip }) =>
  skip('HELMS names no Helm 4'),
)

/** Installs the chart without the annotation, as earlier charts were: the enforcer then owns the selectors. */
const WITHOUT = String.raw`--set-string=webhook.annotations.admissions\.enforcer/disabled=false`
const cases = HELMS.flatMap((upgrader, index) =>
  HELMS.slice(0, index + 1).map((installer) => ({
    installer,
    upgrader,
    name: `by Helm ${major(upgrader)} of a release of Helm ${major(installer)}`,
    // Helm 4 upgrades a release of Helm 4 by server-side apply, which reports conflicts.
    ...(major(installer) === '4'
      ? { first: /conflicts? with "admissionsenforcer"/, flags: ['--force-conflicts'] }
      : { first: /has been upgraded/, flags: [] }),
  })),
)

test.each(cases)(
  'after an upgrade $name the enforcer leaves the webhook alone, and the next upgrade works',
  async ({ installer, upgrader, first, flags: once }) => {
    const upgrade = (...flags: readonly string[]) =>
      upgrader.run('upgrade', RELEASE, CHART, ...FLAGS, ...flags)
    await installer.run('install', RELEASE, CHART, ...FLAGS, WITHOUT)
    expect(await enforceAdmissions()).toEqual([RELEASE])
    expect(await upgrade().catch(String)).toMatch(first)
    await upgrade(...once)
    expect(await enforceAdmissions()).toEqual([])
    await upgrade()
    const input = await upgrader.run('get', 'manifest', RELEASE, IN_WIMDS)
    const { stdout } = await run('kubectl', ['diff', '--filename=-'], { input })
    expect(stdout).toBe('')
  },
)
