/** What AKS does to the chart: its admissions enforcer, and the policies of Deployment Safeguards. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Helm, HELMS } from '../chart/helm.ts'
import { enforceAdmissions } from './support/aks.ts'
import { CHART, imageValues, RELEASE } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { uninstallAgent } from './support/node-agent.ts'
import { run } from './support/run.ts'

const cluster = testCluster('wimds-e2e-aks')

beforeAll(async () => {
  await uninstallAgent()
  await cluster.another('wimds', 'restricted')
})

describe('the admissions enforcer', () => {
  const FLAGS = ['--namespace=wimds', ...imageValues(), '--set=replicaCount=1']
  /** As a chart without the annotation: the enforcer owns the selectors. */
  const WITHOUT = String.raw`--set-string=webhook.annotations.admissions\.enforcer/disabled=false`

  afterEach(() => HELMS[0]?.run('uninstall', RELEASE, '--namespace=wimds', '--wait'))

  const major = ({ version }: Helm) => version.slice(1).split('.')[0]
  const cases = HELMS.flatMap((upgrader, index) =>
    HELMS.slice(0, index + 1).map((installer) => ({
      installer,
      upgrader,
      name: `by Helm ${major(upgrader)}, of a release of Helm ${major(installer)},`,
      // Helm 4 applies on the server what Helm 4 has installed.
      conflicts: major(installer) === '4',
    })),
  )

  // oxlint-disable-next-line vitest/expect-expect -- it is in the list of what was skipped
  test.skipIf(cases.some(({ conflicts }) => conflicts))('meets Helm 4', ({ skip }) =>
    skip('HELMS names no Helm 4'),
  )

  test.each(cases)(
    'does not keep an upgrade $name from the chart, and leaves no difference',
    async ({ installer, upgrader, conflicts }) => {
      const upgrade = (...flags: readonly string[]) =>
        upgrader.run('upgrade', RELEASE, CHART, ...FLAGS, ...flags)
      await installer.run('install', RELEASE, CHART, ...FLAGS, WITHOUT)
      expect(await enforceAdmissions()).toEqual([RELEASE])
      if (conflicts) {
        await expect(upgrade()).rejects.toThrow(/conflicts? with "admissionsenforcer"/)
        await upgrade('--force-conflicts')
      } else {
        await upgrade()
      }
      expect(await enforceAdmissions()).toEqual([])
      await upgrade()
      const input = await upgrader.run('get', 'manifest', RELEASE, '--namespace=wimds')
      const { stdout } = await run('kubectl', ['diff', '--filename=-'], { input })
      expect(stdout).toBe('')
    },
  )
})
