import { expect, test } from 'vitest'
import { nodeAgent } from '../../../src/node/agent/node-agent.ts'
import { parseNodeAgentOptions } from '../../../src/node/agent/agent-options.ts'
import { captureIo, exitCode } from '../../tools/capture.ts'

test('has defaults for all but the name of the node, which NODE_NAME may have', () => {
  expect(parseNodeAgentOptions([], { NODE_NAME: 'node-1' })).toEqual({
    isUninstallCheck: false,
    nodeName: 'node-1',
    cniResultsDirectory: '/var/lib/cni/results',
    bundlesDirectory: '/run/containerd/io.containerd.runtime.v2.task/k8s.io',
    netnsDirectory: '/var/run/netns',
    kubeletPodsDirectory: '/var/lib/kubelet/pods',
    stateDirectory: '/run/wimds',
    defaultTenantId: undefined,
    adminListen: { host: '127.0.0.1', port: 9441 },
    maxBrokers: 16,
    brokerUids: '60000000-60000999',
  })
})

test('takes every option', () => {
  const args = [
    '--node-name=node-2',
    '--host-root=/host',
    '--tenant-id=contoso.com',
    '--admin-listen=[::]:9000',
    '--max-brokers=100',
    '--broker-uids=7000-7999',
  ]
  expect(parseNodeAgentOptions(args, { NODE_NAME: 'node-1' })).toEqual({
    isUninstallCheck: false,
    nodeName: 'node-2',
    cniResultsDirectory: '/host/var/lib/cni/results',
    bundlesDirectory: '/host/run/containerd/io.containerd.runtime.v2.task/k8s.io',
    netnsDirectory: '/host/var/run/netns',
    kubeletPodsDirectory: '/host/var/lib/kubelet/pods',
    stateDirectory: '/host/run/wimds',
    defaultTenantId: 'contoso.com',
    adminListen: { host: '::', port: 9000 },
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
