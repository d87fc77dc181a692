import { rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  createSandboxReader,
  findPodUid,
  watchSandboxes,
} from '../../../src/node/agent/sandboxes.ts'
import { createFolder } from '../../fixtures/folder.ts'

const UID = '8d2c0f3e-5b7a-4f0e-9c41-2a6c1f0b7d55'
const SYSTEMD_UID = UID.replaceAll('-', '_')
const CONTAINER = '3f1b'.repeat(16)

const V1 = (path: string) =>
  ['12:memory', '11:cpu,cpuacct', '4:devices', '1:name=systemd']
    .map((controller) => `${controller}:${path}\n`)
    .join('')

/** Returns the path by the systemd driver, for a class that has a slice of its own. */
const inSlice = (quality: string, scope: string) =>
  `/kubepods.slice/kubepods-${quality}.slice/kubepods-${quality}-pod${SYSTEMD_UID}.slice/${scope}-${CONTAINER}.scope`
const guaranteed = `/kubepods.slice/kubepods-pod${SYSTEMD_UID}.slice/cri-containerd-${CONTAINER}.scope`

test.each([
  ['v1, cgroupfs', V1(`/kubepods/pod${UID}/${CONTAINER}`)],
  ['v1, systemd, containerd', V1(inSlice('burstable', 'cri-containerd'))],
  ['v1, with another controller', `${V1(`/kubepods/besteffort/pod${UID}/${CONTAINER}`)}3:rdma:/\n`],
  ['v2, cgroupfs', `0::/kubepods/besteffort/pod${UID}/${CONTAINER}\n`],
  ['v2, systemd, CRI-O', `0::${inSlice('besteffort', 'crio')}\n`],
  ['v2, systemd, guaranteed', `0::${guaranteed}\n`],
  ['v2 behind a cgroup namespace', `0::/../..${inSlice('burstable', 'cri-containerd')}\n`],
  ['v2 below a nested runtime', `0::/kubepods/burstable/pod${UID}/${CONTAINER}/init\n`],
])('recognizes a process of the pod: %s', (_, file) => {
  expect(findPodUid(file)).toBe(UID)
})

const OTHER = '00000000-5b7a-4f0e-9c41-2a6c1f0b7d55'

const BELOW_OTHER = `0::/kubepods/burstable/pod${OTHER}/${CONTAINER}/pod${UID}\n`
const TWO_PODS = `2:memory:/kubepods/pod${UID}/a\n1:name=systemd:/kubepods/pod${OTHER}/a\n`

test.each([
  ['another pod', `0::/kubepods/burstable/pod${OTHER}/${CONTAINER}\n`],
  ['the node’s process 1', '0::/init.scope\n'],
  ['an empty file', ''],
  ['a UID within a longer name', `0::/kubepods/burstable/pod${UID}0/${CONTAINER}\n`],
  ['a UID in the name of a container', `0::/system.slice/pod-${UID}.scope\n`],
  ['a cgroup of that name below another pod', BELOW_OTHER],
  ['two pods in two hierarchies', TWO_PODS],
])('does not recognize %s', (_, file) => {
  expect(findPodUid(file)).not.toBe(UID)
})

test('throws if a record cannot be read, instead of reporting that the sandbox has ended', () => {
  const readSandboxes = createSandboxReader({
    discovery: 'netns',
    // A read of its file mem fails.
    cniResultsDirectory: '/proc/self',
    netnsDirectory: '/nowhere',
    procDirectory: '/proc',
  })
  expect(readSandboxes).toThrow('EIO')
})

test.each([
  ['set up', (file: string) => writeFileSync(file, '{}')],
  ['removed', (file: string) => rmSync(file)],
])('tells that the runtime has %s a sandbox', async (_, change) => {
  using directory = createFolder()
  const file = directory.write('pods-c0ffee-eth0', '{}')
  const ended = new AbortController()
  const options = { discovery: 'netns', cniResultsDirectory: directory.path } as const
  const changed = new Promise<void>((resolve) => {
    watchSandboxes(options, { onChange: resolve, signal: ended.signal })
  })
  change(file)
  await expect(changed).resolves.toBeUndefined()
  ended.abort()
})
