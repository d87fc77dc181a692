/** The route in a network namespace like a pod's: real processes, and a metadata service on the node. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DoctorReport, Finding } from '../../../src/tools/doctor/doctor-report.ts'
import type { RoutingMode } from '../../../src/lib/sidecar-interface.ts'
import { applyRedirect, removeRedirect } from '../../../src/sidecar/redirect/apply.ts'
import { REDIRECT_DEFAULTS, type RedirectSettings } from '../../../src/sidecar/redirect/ruleset.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { becomeUser, copyCli, scriptOf } from '../../fixtures/run-program.ts'
import { environmentOf } from '../../fixtures/served.ts'
import { podNetwork, type PodNetwork, reasonToSkip } from '../../sidecar/redirect/namespace.ts'

const SIDECAR_UID = 1501
const APP_UID = 1000

const settings = (changes: Partial<RedirectSettings> = {}): RedirectSettings => ({
  ...REDIRECT_DEFAULTS,
  exemptUid: undefined,
  ...changes,
})

const reason = reasonToSkip()
if (reason !== undefined) process.stderr.write(`skipped test/tools/doctor: ${reason}\n`)

describe.skipIf(reason !== undefined)('in a network namespace', () => {
  let simulator: Simulator
  let pod: PodNetwork
  let copy: Awaited<ReturnType<typeof copyCli>>
  let env: Readonly<Record<string, string>>
  beforeAll(async () => {
    simulator = await createSimulator()
    pod = await podNetwork()
    copy = await copyCli()
    env = {
      ...environmentOf(simulator),
      WIMDS_LISTEN: '127.0.0.1:8000',
      WIMDS_ADMIN_LISTEN: '127.0.0.1:9169',
    }
    await pod.script(scriptOf(copy.cli, ['serve'], env)).firstLine
  })
  afterAll(async () => {
    pod[Symbol.dispose]()
    await simulator.close()
    await copy[Symbol.asyncDispose]()
  })

  async function checkRoute(
    mode: RoutingMode,
    { uid = 0, more = {} }: { uid?: number; more?: Readonly<Record<string, string>> } = {},
  ): Promise<Finding | undefined> {
    const args = ['doctor', '-o', 'json', `--mode=${mode}`, '--no-exchange']
    const script = scriptOf(copy.cli, args, { ...env, ...more })
    const output = await pod.script(becomeUser(uid) + script).output
    const report: DoctorReport = JSON.parse(output)
    return report.checks.find(({ check }) => check === 'route')
  }

  async function withRedirect<T>(redirect: RedirectSettings, work: () => Promise<T>): Promise<T> {
    const options = { path: pod.path, signal: new AbortController().signal }
    await applyRedirect(redirect, options)
    try {
      return await work()
    } finally {
      await removeRedirect(redirect, options)
    }
  }

  test('finds the metadata service of the node without a redirect', async () => {
    expect(await checkRoute('loopback')).toMatchObject({
      status: 'failed',
      failure: { code: 'route_to_other_service' },
    })
  })

  test.each(['loopback', 'nft'] as const)('finds this sidecar in mode %s', async (mode) => {
    const route = await withRedirect(settings({ mode }), () => checkRoute(mode))
    expect(route).toMatchObject({ status: 'ok' })
  })

  test('does not judge what the uid of the sidecar sees with pass-through', async () => {
    const redirect = settings({ mode: 'nft', exemptUid: SIDECAR_UID })
    const more = { WIMDS_PASS_THROUGH: '/metadata/instance' }
    const routes = await withRedirect(redirect, async () => [
      await checkRoute('nft', { uid: SIDECAR_UID, more }),
      await checkRoute('nft', { uid: APP_UID, more }),
    ])
    expect(routes).toMatchObject([{ status: 'not_checked' }, { status: 'ok' }])
  })
})
