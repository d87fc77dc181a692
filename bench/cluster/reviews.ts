/** AdmissionReviews sent straight to the webhook's Service, at a steady pace. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { helm, installChart, RELEASE } from '../../test/e2e/support/chart.ts'
import { testNamespace } from '../../test/e2e/support/namespace.ts'
import { kubectl } from '../../test/e2e/support/run.ts'
import { appPod, serviceAccount, STAY } from '../../test/e2e/support/workloads.ts'
import { atMost, type Figure, percentile } from '../figures.ts'
import { podReview } from '../../test/fixtures/pod-review.ts'

const PER_SECOND = 50
const SECONDS = 10
const NAMESPACE = 'wimds-bench-reviews'

/** Measures the chart at its defaults, with two replicas, called through its Service over TLS. */
export async function reviews(): Promise<readonly Figure[]> {
  await using own = await testNamespace('wimds', 'restricted')
  await using namespace = await testNamespace(NAMESPACE)
  await namespace.create(serviceAccount('app', '11111111-1111-4111-8111-111111111111'))
  await installChart()
  try {
    const path = 'jsonpath={.spec.clusterIP}'
    const times = await reviewTimes(await own.kubectl(['get', 'service', RELEASE, '-o', path]))
    const name = (share: string) => `webhook, ${PER_SECOND} reviews a second, ${share}`
    return [
      { name: name('p50'), unit: 'ms', wimds: percentile(times, 0.5) },
      { name: name('p99'), unit: 'ms', wimds: percentile(times, 0.99), bar: atMost(20, 'ms') },
    ]
  } finally {
    await helm('uninstall', RELEASE, '--namespace=wimds', '--wait')
  }
}

/** Returns how long each review took, in milliseconds. Throws when one is answered without a patch. */
async function reviewTimes(address: string): Promise<readonly number[]> {
  const webhook = ['get', 'mutatingwebhookconfiguration', RELEASE, '-o']
  const bundle = await kubectl([...webhook, 'jsonpath={.webhooks[0].clientConfig.caBundle}'])
  const ca = Buffer.from(bundle, 'base64').toString()
  const agent = new Agent({ connect: { ca, servername: 'wimds.wimds.svc' } })
  const body = JSON.stringify(review())
  async function ask(): Promise<number> {
    const begin = performance.now()
    const url = `https://${address}/mutate`
    const reply = await request(url, { dispatcher: agent, method: 'POST', body })
    const text = await reply.body.text()
    if (!text.includes('"patch"')) throw new Error(text)
    return performance.now() - begin
  }
  try {
    // Connections are made first, as the API server keeps its own.
    await Promise.all(Array.from({ length: 4 }, ask))
    return await Promise.all(
      Array.from({ length: PER_SECOND * SECONDS }, async (_, index) => {
        await sleep((index * 1000) / PER_SECOND)
        return await ask()
      }),
    )
  } finally {
    await agent.close()
  }
}

function review(): object {
  const annotations = { 'wimds.io/inject': 'true' }
  const pod = appPod({ name: 'load', account: 'app', script: STAY, annotations })
  return podReview(pod, { uid: 'load', namespace: NAMESPACE })
}
