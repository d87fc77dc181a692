import { expect, test } from 'vitest'
import { createSandboxReader, findPodUid } from '../../../src/cluster/node-agent/sandboxes.ts'

const UID = '8d2c0f3e-5b7a-4f0e-9c41-2a6c1f0b7d55'
const SYSTEMD_UID = UID.replaceAll('-', '_')
const CONTAINER = '3f1b'.repeat(16)

const V1 = (path: string) =>
  ['12:memory', '11:cpu,cpuacct', '4:devices', '1:name=systemd']
    .map((controller) => `${controller}:${path}\n`)
    .join('')

test.each([
  ['v1, cgroupfs, guaranteed', V1(`/kubepods/pod${UID}/${CONTAINER}`)],
  ['v1, cgroupfs, burstable', V1(`/kubepods/burstable/pod${UID}/${CONTAINER}`)],
  [
    'v1, systemd, containerd',
    V1(
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SYSTEMD_UID}.slice/cri-containerd-${CONTAINER}.scope`,
    ),
  ],
  [
    'v1, with a controller that the kubelet does not use',
    `${V1(`/kubepods/besteffort/pod${UID}/${CONTAINER}`)}3:rdma:/\n`,
  ],
  ['v2, cgroupfs', `0::/kubepods/besteffort/pod${UID}/${CONTAINER}\n`],
  [
    'v2, systemd, CRI-O',
    `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${SYSTEMD_UID}.slice/crio-${CONTAINER}.scope\n`,
  ],
  [
    'v2, systemd, guaranteed',
    `0::/kubepods.slice/kubepods-pod${SYSTEMD_UID}.slice/cri-containerd-${CONTAINER}.scope\n`,
  ],
  [
    'v2 behind a cgroup namespace',
    `0::/../../kubepods-burstable.slice/kubepods-burstable-pod${SYSTEMD_UID}.slice/cri-containerd-${CONTAINER}.scope\n`,
  ],
  [
    'v2 below the container, as a nested runtime makes it',
    `0::/kubepods/burstable/pod${UID}/${CONTAINER}/init\n`,
  ],
])('recognizes a process of the pod: %s', (_, file) => {
  expect(findPodUid(file)).toBe(UID)
})

const OTHER = '00000000-5b7a-4f0e-9c41-2a6c1f0b7d55'

test.each([
  ['another pod', `0::/kubepods/burstable/pod${OTHER}/${CONTAINER}\n`],
  ['a daemon of the node', '0::/system.slice/containerd.service\n'],
  ['the node’s process 1', '0::/init.scope\n'],
  ['an empty file', ''],
  ['a UID within a longer name', `0::/kubepods/burstable/pod${UID}0/${CONTAINER}\n`],
  ['a UID in the name of a container', `0::/system.slice/pod-${UID}.scope\n`],
  [
    'a cgroup of that name below the container of another pod',
    `0::/kubepods/burstable/pod${OTHER}/${CONTAINER}/pod${UID}\n`,
  ],
  [
    'two pods in two hierarchies',
    `2:memory:/kubepods/pod${UID}/a\n1:name=systemd:/kubepods/pod${OTHER}/a\n`,
  ],
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
