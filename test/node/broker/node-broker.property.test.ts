/** Pods come, go and come again with other service accounts and settings: each gets its own account's tokens alone. */
import * as fc from 'fast-check'
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import type { ServedPod } from '../../../src/node/broker/messages.ts'
import { fuzzRuns } from '../../fuzz/mutations.ts'
import { waitFor } from '../../fixtures/connection.ts'
import type { TestAgent } from './agent.ts'
import { ACCOUNTS, ask, createCluster } from './setup.ts'

const STEPS = 100
const MAX_PODS = 8

const settings = fc.constantFrom<Record<string, string>>(
  {},
  { WIMDS_ALLOWED_HOSTS: 'a.test' },
  { WIMDS_MAX_CONNECTIONS: '1' },
  { WIMDS_PREFETCH: 'https://vault.azure.net' },
)
const which = fc.nat(MAX_PODS - 1)
const account = fc.constantFrom(...ACCOUNTS)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('serve' as const), which, account, settings }),
  },
  // The uid of a pod with another service account, which the API never has.
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('reuse' as const), which, account, settings }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close' as const), which }) },
)

interface Served {
  readonly pod: ServedPod
  readonly port: number
}

/**
 * Asks while other steps go on. A pod that is closed meanwhile gets no answer, or an error: its projected token is gone,
 * or of the pod that has its uid now. Returns whether it got a token.
 */
async function check({ pod, port }: Served, agent: TestAgent): Promise<boolean> {
  const reply = await ask(port).catch(() => undefined)
  if (reply?.status !== 200) return false
  const { uti, appid } = decodeJwt(reply.body.access_token)
  expect(appid).toBe(pod.env['AZURE_CLIENT_ID'])
  const { subject, serviceAccount } = await waitFor(() =>
    agent.log.find((line) => line['event'] === 'token_obtained' && line['uti'] === uti),
  )
  expect(serviceAccount).toBe(pod.serviceAccount)
  expect(subject).toBe(`system:serviceaccount:shop:${pod.serviceAccount}`)
  return true
}

test('no pod gets a token of another service account', { timeout: 600_000 }, async () => {
  await using cluster = await createCluster()
  const run = fc.asyncProperty(
    fc.array(step, { minLength: STEPS, maxLength: STEPS }),
    async (steps) => {
      await using agent = cluster.start()
      const pods: (Served | undefined)[] = []
      const checks: Promise<boolean>[] = []
      for (const next of steps) {
        const served = pods[next.which]
        if (next.do === 'close' && served !== undefined) {
          agent.closePod(served.pod.uid)
          pods[next.which] = undefined
        } else if (next.do === 'ask' && served !== undefined) {
          checks.push(check(served, agent))
        } else if (next.do === 'serve' || next.do === 'reuse') {
          const fresh = cluster.podOf(next.account, next.settings)
          const uid = next.do === 'reuse' && served !== undefined ? served.pod.uid : fresh.uid
          if (served !== undefined && uid !== served.pod.uid) agent.closePod(served.pod.uid)
          const pod = { ...fresh, uid }
          pods[next.which] = { pod, port: await agent.serve(pod) }
        }
      }
      await Promise.all(checks)
      const left = pods.flatMap((served) => served ?? [])
      for (const served of left) expect(await check(served, agent)).toBe(true)
    },
  )
  await fc.assert(run, { ...fuzzRuns(2), endOnFailure: true })
})
