import { expect, test } from 'vitest'
import { parseNodeAgentOptions } from '../../../src/node/agent/agent-options.ts'
import { nodeAgent } from '../../../src/node/agent/node-agent.ts'
import { captureIo, exitCode } from '../../tools/capture.ts'

test('takes what an operator sets of the chart', () => {
  const args = ['--tenant-id=contoso.com', '--max-brokers=100', '--broker-uids=7000-7999']
  expect(parseNodeAgentOptions(args, { NODE_NAME: 'node-1' })).toMatchObject({
    nodeName: 'node-1',
    defaultTenantId: 'contoso.com',
    maxBrokers: 100,
    brokerUids: '7000-7999',
  })
})

test.each([
  ['--node-name=', 'the name of the node is missing. Fix: set --node-name, or NODE_NAME from spec'],
  ['--admin-listen=9441', '--admin-listen must be host:port or [IPv6]:port, not "9441"'],
  ['--max-brokers=0', '--max-brokers must be a whole number from 1 to 9999, not "0"'],
  ['--broker-uids=9-8', '--broker-uids is "9-8". Fix: set two uids, such as 60000000-60000999'],
  ['--broker-uids=0-8', '--broker-uids is "0-8"'],
])('rejects %s, with all other problems', async (arg, problem) => {
  const io = captureIo({ NODE_NAME: '' })
  expect(await exitCode(nodeAgent, [arg], io)).toBe(64)
  for (const text of [problem, 'the name of the node']) expect(io.err()).toContain(text)
})
