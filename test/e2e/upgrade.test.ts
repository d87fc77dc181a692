/** The upgrade of the chart from an earlier version, and back, while pods are created. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { CHART, helm, type Images, imageValues, installChart, RELEASE } from './support/chart.ts'
import { testCluster } from './support/cluster.ts'
import { EARLIER_IMAGES, IMAGES, UPGRADE_FROM } from './support/environment.ts'
import { startLoad } from './support/load.ts'
import { AGENT_VALUES, uninstallAgent } from './support/node-agent.ts'
import { havePodsIpv4, skipWithoutRoute } from './support/requirements.ts'
import { run } from './support/run.ts'
import { ACCOUNT, appPod, CLIENT, METADATA, STAY, TOKEN_PATH } from './support/workloads.ts'
import { createFolder } from '../fixtures/folder.ts'

const NAMESPACE = 'wimds-e2e-upgrade'
const MODES = ['env', 'loopback', 'nft', 'node'] as const
const HELM = ['--namespace=wimds', '--wait', '--timeout=180s']
type Mode = (typeof MODES)[number]
interface PodObject {
  readonly metadata: {
    readonly annotations: Record<string, string>
    readonly labels: Record<string, string>
  }
  readonly spec: { readonly initContainers: readonly { name: string; image: string }[] }
}

const pod = (name: string, mode: Mode) =>
  appPod({
    name,
    account: 'app',
    script: STAY,
    annotations: { 'wimds.io/inject': 'true', 'wimds.io/mode': mode },
  })

const imageOf = ({ spec }: PodObject) =>
  spec.initContainers.find(({ name }) => name === 'wimds' || name === 'wimds-gate')?.image

/** Returns the image that a version adds to a pod: the sidecar, or the gate in mode node. */
const imageIn = ({ sidecar, gate }: Images, mode: Mode) => (mode === 'node' ? gate : sidecar)

const initContainersOf = ({ spec }: PodObject) => spec.initContainers.map(({ name }) => name)

// oxlint-disable-next-line vitest/expect-expect -- it is in the list of what was skipped
test.runIf(UPGRADE_FROM === undefined)('an upgrade is tested', ({ skip }) =>
  skip('UPGRADE_FROM names no earlier version'),
)

describe.skipIf(UPGRADE_FROM === undefined)(`from ${UPGRADE_FROM ?? 'no given version'}`, () => {
  const cluster = testCluster(NAMESPACE)
  const directory = createFolder()
  beforeAll(async () => {
    const archive = directory.file('chart.tar')
    await run('git', ['archive', `--output=${archive}`, String(UPGRADE_FROM), CHART])
    await run('tar', ['-xf', archive, '-C', directory.path])
    await cluster.another('wimds', 'restricted')
    await uninstallAgent()
    await installChart(directory.file(CHART), EARLIER_IMAGES, AGENT_VALUES)
    await cluster.namespace.create(ACCOUNT)
    await createPods('earlier')
  })
  afterAll(async () => {
    // --no-hooks skips the check for pods that need the agent.
    await helm('uninstall', RELEASE, '--namespace=wimds', '--wait', '--no-hooks')
    directory[Symbol.dispose]()
  })

  /** Creates a pod of each mode that the cluster can have, and waits until they are ready. */
  async function createPods(name: string): Promise<void> {
    const hasIpv4 = await havePodsIpv4()
    const modes = MODES.filter((mode) => mode !== 'nft' || hasIpv4)
    await cluster.namespace.create(...modes.map((mode) => pod(`${name}-${mode}`, mode)))
    for (const mode of modes) await cluster.namespace.ready(`${name}-${mode}`)
  }

  async function get(name: string): Promise<PodObject> {
    return JSON.parse(await cluster.namespace.kubectl(['get', 'pod', name, '-o', 'json']))
  }

  /** Creates a new pod with the containers of an injected one, as a dry run. Returns the webhook's result. */
  async function injectAgain({ metadata, spec }: PodObject): Promise<PodObject> {
    const { annotations, labels } = metadata
    const again = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'again', annotations, labels },
      spec: { ...spec, nodeName: undefined },
    }
    const args = ['create', '--dry-run=server', '-f', '-', '-o', 'json']
    return JSON.parse(await cluster.namespace.kubectl(args, stringify(again)))
  }

  /** Expects that the pod gets a token and that no container was restarted. */
  async function expectToken(name: string, mode: Mode): Promise<void> {
    // Versions differ in the port of the sidecar.
    const variable = '.spec.containers[0].env[?(@.name=="AZURE_POD_IDENTITY_AUTHORITY_HOST")].value'
    const origin =
      mode === 'env' ? await cluster.namespace.field(`pod ${name}`, `{${variable}}`) : METADATA
    const { body } = await cluster.ask(name, TOKEN_PATH, origin)
    expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
    const counts = '{.status.initContainerStatuses[*].restartCount}'
    expect(await cluster.namespace.field(`pod ${name}`, counts)).toMatch(/^[0 ]+$/)
  }

  /** Runs helm while pods are created. */
  async function helmUnderLoad(...args: readonly string[]) {
    const load = startLoad(cluster.namespace, pod('load', 'loopback'))
    await helm(...args, ...HELM)
    return await load.stop()
  }

  test('no creation of a pod fails during the upgrade', async () => {
    const values = ['--reset-then-reuse-values', ...imageValues()]
    expect(await helmUnderLoad('upgrade', RELEASE, CHART, ...values)).toEqual([])
    await createPods('later')
  })

  test.for(MODES)(
    'in mode %s pods of both versions get tokens, and a second injection makes the earlier pod like the later',
    async (mode, { skip }) => {
      await skipWithoutRoute(mode, skip)
      const [earlier, later] = [await get(`earlier-${mode}`), await get(`later-${mode}`)]
      expect([earlier, later].map(imageOf)).toEqual([
        imageIn(EARLIER_IMAGES, mode),
        imageIn(IMAGES, mode),
      ])
      for (const name of ['earlier', 'later']) await expectToken(`${name}-${mode}`, mode)
      const once = await injectAgain(earlier)
      expect(imageOf(once)).toBe(imageOf(later))
      expect(initContainersOf(once)).toEqual(initContainersOf(later))
      expect((await injectAgain(once)).spec).toEqual(once.spec)
    },
  )

  test('no creation of a pod fails during the downgrade', async () => {
    expect(await helmUnderLoad('rollback', RELEASE, '1')).toEqual([])
    await createPods('last')
  })

  test.for(MODES)(
    'in mode %s pods of both versions get tokens after the downgrade',
    async (mode, { skip }) => {
      await skipWithoutRoute(mode, skip)
      expect(imageOf(await get(`last-${mode}`))).toBe(imageIn(EARLIER_IMAGES, mode))
      for (const name of ['earlier', 'later', 'last']) await expectToken(`${name}-${mode}`, mode)
      const once = await injectAgain(await get(`later-${mode}`))
      expect(imageOf(once)).toBe(imageIn(EARLIER_IMAGES, mode))
      expect((await injectAgain(once)).spec).toEqual(once.spec)
    },
  )
})
