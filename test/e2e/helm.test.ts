/** Each Helm, and what makes its next upgrade fail: the admissions enforcer of AKS, and a refused uninstall. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Helm, HELMS } from '../chart/helm.ts'
import { enforceAdmissions } from './support/aks.ts'
import { CHART, imageValues, RELEASE } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { AGENT_VALUES, uninstallAgent } from './support/node-agent.ts'
import { run } from './support/run.ts'
import { ACCOUNT, appPod, injectedPods, STAY } from './support/workloads.ts'

const cluster = testCluster('wimds-e2e-helm')
const IN_WIMDS = '--namespace=wimds'
const FLAGS = [IN_WIMDS, ...imageValues(), '--set=replicaCount=1']
const major = ({ version }: Helm) => version.slice(1).split('.')[0]

beforeAll(async () => {
  await uninstallAgent()
  await cluster.another('wimds', 'restricted')
  await cluster.namespace.create(ACCOUNT)
})

afterEach(() => HELMS[0]?.run('uninstall', RELEASE, IN_WIMDS, '--ignore-not-found', '--wait'))

// oxlint-disable-next-line vitest/expect-expect -- it is in the list of what was skipped
test.skipIf(HELMS.some((helm) => major(helm) === '4'))('Helm 4 is tested', ({ skip }) =>
  skip('HELMS names no Helm 4'),
)

describe('the admissions enforcer of AKS', () => {
  /** As a chart without the annotation: the enforcer owns the selectors. */
  const WITHOUT = String.raw`--set-string=webhook.annotations.admissions\.enforcer/disabled=false`
  const cases = HELMS.flatMap((upgrader, index) =>
    HELMS.slice(0, index + 1).map((installer) => ({
      installer,
      upgrader,
      name: `by Helm ${major(upgrader)} of a release of Helm ${major(installer)}`,
      // Helm 4 applies on the server what Helm 4 has installed.
      ...(major(installer) === '4'
        ? { first: /conflicts? with "admissionsenforcer"/, flags: ['--force-conflicts'] }
        : { first: /has been upgraded/, flags: [] }),
    })),
  )

  test.each(cases)(
    'leaves the webhook alone after an upgrade $name, and the next one works',
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
})

test.each(HELMS)(
  'a release that $version could not uninstall is upgraded after a rollback to its revision',
  async ({ run: helm }) => {
    // It runs nowhere, but would. There is no webhook yet, which would have to be ready.
    const spec = { nodeSelector: { no: 'node' } }
    const pod = appPod({ name: 'left', account: 'app', script: STAY, spec })
    await cluster.namespace.create(await injectedPods('node', [ACCOUNT], [pod]))
    await helm('install', RELEASE, CHART, ...FLAGS, ...AGENT_VALUES)
    await helm('upgrade', RELEASE, CHART, ...FLAGS, ...AGENT_VALUES, '--set=drain=6s')
    await expect(helm('uninstall', RELEASE, IN_WIMDS)).rejects.toThrow('wimds-uninstall')
    const log = await cluster.namespace.kubectl([
      'logs',
      '--namespace=wimds-node-agent',
      `job/${RELEASE}-uninstall`,
    ])
    expect(log).toMatch(/left\. Fix: .*helm rollback RELEASE REVISION/)
    const upgrade = () => helm('upgrade', RELEASE, CHART, ...FLAGS, '--reuse-values')
    await expect(upgrade()).rejects.toThrow('has no deployed releases')
    await helm('rollback', RELEASE, '2', IN_WIMDS)
    await upgrade()
    expect(await helm('get', 'values', RELEASE, IN_WIMDS)).toContain('drain: 6s')
    await cluster.namespace.kubectl(['delete', 'pod', 'left', '--now'])
    await helm('uninstall', RELEASE, IN_WIMDS, '--wait')
  },
)
