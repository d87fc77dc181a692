/** The boundaries of an injected pod: the node's metadata service and the ports of the app. */
import { beforeAll, describe, expect, test } from 'vitest'
import { testCluster } from './support/cluster.ts'
import { startAgent } from './support/node-agent.ts'
import { forgetRequestsToRealImds, OTHER_PORT, requestsToRealImds } from './support/real-imds.ts'
import { needRealImds, needRoute } from './support/requirements.ts'
import {
  ACCOUNT,
  appPod,
  CLIENT,
  curl,
  injectedPods,
  METADATA,
  STAY,
  TOKEN_PATH,
} from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-boundaries'
/** Modes that put the metadata address on the loopback interface of the pod. */
const ON_LOOPBACK = ['loopback', 'node'] as const
const OTHER = `${METADATA}:${OTHER_PORT}/`

const cluster = testCluster(NAMESPACE)

const pod = (name: string, more: object = {}) =>
  appPod({ name, account: 'app', script: STAY, ...more })

beforeAll(async () => {
  await startAgent()
  await forgetRequestsToRealImds()
  await cluster.namespace.create(ACCOUNT)
  const passing = pod('passing', {
    annotations: { 'wimds.io/pass-through': '/metadata/loadbalancer' },
  })
  for (const mode of ON_LOOPBACK) {
    const web = pod(`web-${mode}`, {
      script: `${curl(TOKEN_PATH)}; exec busybox httpd -f -p 0.0.0.0:80`,
      // Only root may bind port 80.
      spec: { securityContext: { runAsUser: 0 } },
      container: { securityContext: {} },
    })
    await cluster.namespace.create(await injectedPods(mode, [ACCOUNT], [pod(mode), web]))
  }
  await cluster.namespace.create(await injectedPods('nft', [ACCOUNT], [pod('nft'), passing]))
})

const inPod = (name: string, script: string) =>
  cluster.namespace.exec(name, 'app', ['sh', '-c', script])

test.each(ON_LOOPBACK)('an app that listens on 0.0.0.0:80 runs in mode %s', async (mode) => {
  await cluster.namespace.ready(`web-${mode}`)
  expect(await cluster.ask(`web-${mode}`)).toMatchObject({ status: 200 })
  const web = await inPod(
    `web-${mode}`,
    String.raw`curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1/`,
  )
  expect(web).toBe('404')
})

describe('the node’s metadata service', () => {
  needRealImds()

  test.each(ON_LOOPBACK)('cannot be reached in mode %s, on any port', async (mode) => {
    await cluster.namespace.ready(mode)
    const { body } = await cluster.ask(mode, '/metadata/instance?api-version=2021-02-01')
    expect(body).not.toHaveProperty('from')
    await expect(inPod(mode, `curl -sS -m 5 ${OTHER}`)).rejects.toThrow(/refused|connect/)
  })

  describe('in mode nft', () => {
    needRoute()

    test('can be reached on other ports, and gets no request on port 80', async () => {
      await cluster.namespace.ready('nft')
      expect(await inPod('nft', `curl -sS -m 5 ${OTHER}`)).toBe('from the node')
      expect(await cluster.ask('nft', '/metadata/loadbalancer')).toMatchObject({ status: 404 })
      expect(await requestsToRealImds()).toEqual([])
    })

    test('gets only the paths that pass-through lists, and never a token path', async () => {
      await cluster.namespace.ready('passing')
      const url = '/metadata/loadbalancer?api-version=1'
      expect((await cluster.ask('passing', url)).body).toEqual({ from: 'the node', url })
      const { body } = await cluster.ask('passing')
      expect(await cluster.entra.clientIdOf(body['access_token'])).toBe(CLIENT)
      const others = [
        '/metadata/identity/oauth2/token/x',
        '/metadata/attested/document',
        '/metadata/x',
      ]
      for (const path of others) {
        expect(await cluster.ask('passing', path)).toMatchObject({ status: 404 })
      }
      expect(await requestsToRealImds()).toEqual([url])
    })

    test('gets requests of the app only through the sidecar, also with pass-through', async () => {
      const address = `curl -sS -m 5 -H 'X-Forwarded-For: 1' ${METADATA}/metadata/loadbalancer`
      expect(await inPod('passing', address)).toContain('forwarded')
    })
  })
})
