/** The check of an uninstall, against an API server of this test. */
import { expect, onTestFinished, test } from 'vitest'
import { nodeAgent } from '../../../src/node/agent/node-agent.ts'
import { answer, startApiServer } from '../../fixtures/api-server.ts'
import { captureIo, exitCode } from '../../tools/capture.ts'
import { nodeModePod } from './pods.ts'

/** Runs the check in a cluster that has these pods. */
async function check(...items: readonly object[]) {
  const api = await startApiServer({
    'GET /api/v1/pods': (response) => {
      expect(response.req.url).not.toContain('fieldSelector')
      answer(response, 200, { metadata: { resourceVersion: '7' }, items })
    },
  })
  onTestFinished(() => api[Symbol.asyncDispose]())
  const io = captureIo(process.env)
  return { code: await exitCode(nodeAgent, ['--uninstall-check'], io), err: io.err() }
}

const sidecarPod = { metadata: { uid: 's', namespace: 'shop', name: 's' }, spec: {}, status: {} }

test('succeeds when no pod of mode node is left, but for those that end', async () => {
  const ended = nodeModePod({ uid: 'a', phase: 'Succeeded' })
  const deleted = nodeModePod({ uid: 'b', deletionTimestamp: '2026-11-30T10:00:00Z' })
  expect(await check(sidecarPod, ended, deleted)).toEqual({ code: 0, err: '' })
})

test('fails with the names of the pods that need the agent', async () => {
  const pods = Array.from({ length: 25 }, (_, at) => nodeModePod({ uid: `${at}`, name: `p${at}` }))
  const { code, err } = await check(sidecarPod, ...pods)
  expect(code).toBe(1)
  expect(err).toContain('these pods would get no tokens any more (25): shop/p0, shop/p1,')
  expect(err).toMatch(/shop\/p19, …\. Fix: .*first run helm rollback RELEASE REVISION/)
  expect(err).not.toContain('shop/s')
})
