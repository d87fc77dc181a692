import { expect, test } from 'vitest'
import { createReplies } from '../../../src/sidecar/telemetry/replies.ts'
import { observe, reply } from './observed.ts'

test('counts each client, with the time of its last request', () => {
  let time = 1000
  const { log } = observe()
  const options = { log, auditsTokens: false, onRejected: () => {} }
  const { onReply, clients } = createReplies({ ...options, now: () => time })
  const python = { 'user-agent': 'azsdk-python-identity/1.5.0 Python/3.9.2' }
  onReply(reply({ headers: python }))
  time = 2000
  onReply(reply({ headers: { 'user-agent': 'curl/8.0.1' } }))
  time = 3000
  onReply(reply({ headers: python }))
  expect(clients()).toMatchObject([
    { library: 'python-azure-identity', requests: 2, lastSeenAt: 3000 },
    { library: 'curl', version: '8.0.1', requests: 1, lastSeenAt: 2000 },
  ])
})
