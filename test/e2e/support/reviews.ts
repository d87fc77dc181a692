/** AdmissionReviews sent straight to the webhook's Service, at a steady pace. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { kubectl } from './run.ts'

interface Pace {
  readonly perSecond: number
  readonly seconds: number
}

/** Sends a review of the pod again and again; how long each took, in rising milliseconds. */
export async function reviewTimes(pod: object, pace: Pace): Promise<readonly number[]> {
  const webhook = ['get', 'mutatingwebhookconfiguration', 'wimds', '-o']
  const bundle = await kubectl([...webhook, 'jsonpath={.webhooks[0].clientConfig.caBundle}'])
  const service = ['get', 'service', 'wimds', '--namespace=wimds', '-o']
  const address = await kubectl([...service, 'jsonpath={.spec.clusterIP}'])
  const ca = Buffer.from(bundle, 'base64').toString()
  const agent = new Agent({ connect: { ca, servername: 'wimds.wimds.svc' } })
  const body = JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'load',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      operation: 'CREATE',
      namespace: 'wimds-e2e-webhook',
      object: pod,
    },
  })
  async function ask(): Promise<number> {
    const begin = performance.now()
    const url = `https://${address}/mutate`
    const reply = await request(url, { dispatcher: agent, method: 'POST', body })
    const text = await reply.body.text()
    if (!text.includes('"patch"')) throw new Error(text)
    return performance.now() - begin
  }
  try {
    await Promise.all(Array.from({ length: 4 }, ask))
    const asked = Array.from({ length: pace.perSecond * pace.seconds }, async (_, index) => {
      await sleep((index * 1000) / pace.perSecond)
      return await ask()
    })
    return (await Promise.all(asked)).toSorted((one, other) => one - other)
  } finally {
    await agent.close()
  }
}
