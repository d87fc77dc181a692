/** Routes pods in real network namespaces. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createNamespaceSearch } from '../../../src/cluster/node-agent/network-namespaces.ts'
import { createPodRouter, RouteFailure } from '../../../src/cluster/node-agent/route-pod.ts'
import { parseRoutedPod, type RoutedPod } from '../../../src/cluster/node-agent/routed-pod.ts'
import { podNetwork, type PodNetwork, reasonToSkip } from '../../sidecar/redirect/namespace.ts'
import { nodeModePod } from './pods.ts'

const reason = reasonToSkip()
if (reason !== undefined) process.stderr.write(`skipped test/cluster/node-agent: ${reason}\n`)

/** As the container runtime keeps it; with the namespaces of this test alone. */
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wimds-netns-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const keep = ({ namespacePath }: PodNetwork) =>
  symlinkSync(namespacePath, join(directory, basename(namespacePath)))

const IP = 'ip'
const signal = AbortSignal.timeout(600_000)

interface RouterOptions {
  readonly path?: string | undefined
  readonly maxCached?: number
}

function createRouter({ path = process.env['PATH'], ...options }: RouterOptions = {}) {
  const findNamespaces = createNamespaceSearch({
    discovery: 'netns',
    netnsDirectory: directory,
    procDirectory: '/proc',
  })
  return createPodRouter({ findNamespaces, tools: { path, signal }, ...options })
}

function podWith(parts: Parameters<typeof nodeModePod>[0]): RoutedPod {
  const pod = parseRoutedPod(nodeModePod(parts))
  if (pod === undefined) throw new Error('not a pod of mode node')
  return pod
}

/** Creates a PATH on which `ip` counts the reads of addresses. */
function createReadCounter() {
  const bin = mkdtempSync(join(tmpdir(), 'wimds-tools-'))
  const file = join(bin, 'reads')
  const ip = execFileSync('which', ['ip']).toString().trim()
  const script = `#!/bin/sh\n[ "$1" = -json ] && echo read >> ${file}\nexec ${ip} "$@"\n`
  writeFileSync(join(bin, 'ip'), script, { mode: 0o755 })
  return {
    path: `${bin}:${process.env['PATH']}`,
    reads: () => readFileSync(file, 'utf8').trim().split('\n').length,
    [Symbol.dispose]: () => rmSync(bin, { recursive: true }),
  }
}

async function failureOf(routed: Promise<void>): Promise<RouteFailure> {
  const error: unknown = await routed.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof RouteFailure)) throw new Error('it did not fail as expected')
  return error
}

const rulesOf = (pod: PodNetwork) =>
  pod.exec('nft', 'list', 'ruleset') + pod.exec('ip', 'address', 'show', 'dev', 'lo')

describe.skipIf(reason !== undefined)('in network namespaces', () => {
  test('routes the pod with this address, and no other one', async () => {
    using pod = await podNetwork('10.9.0.2')
    using other = await podNetwork('10.9.0.3')
    keep(pod)
    keep(other)
    await pod.serve('127.0.0.1', 8123, 'sidecar')
    const before = rulesOf(other)
    await createRouter()(podWith({ addresses: ['fd00::9', '10.9.0.2'], listen: '127.0.0.1:8123' }))
    expect(pod.fetchMetadata()).toBe('sidecar')
    expect(other.fetchMetadata()).toBe('real imds')
    expect(rulesOf(other)).toBe(before)
  })

  test.each([
    ['IPv6 before IPv4', ['fd00::9', '10.9.0.2'], true],
    ['IPv6 alone', ['fd00::9'], false],
  ])('finds a pod with %s by its address', async (_, addresses, hasIpv4) => {
    using pod = await podNetwork()
    keep(pod)
    pod.exec('ip', '-6', 'address', 'add', 'fd00::9/64', 'dev', 'eth0', 'nodad')
    if (!hasIpv4) pod.exec('ip', '-4', 'address', 'flush', 'dev', 'eth0')
    await pod.serve('127.0.0.1', 8000, 'sidecar')
    await createRouter()(podWith({ addresses }))
    expect(pod.fetchMetadata()).toBe('sidecar')
  })

  test('the rules of a mesh, made with the network, do not keep a pod from its sidecar', async () => {
    using pod = await podNetwork()
    keep(pod)
    pod.exec(
      'nft',
      `table ip mesh {
        chain prerouting { type nat hook prerouting priority -100; meta l4proto tcp redirect to :15006; }
        chain output { type nat hook output priority -100; oifname "lo" return; meta l4proto tcp redirect to :15001; }
      }`,
    )
    const mesh = pod.exec('nft', 'list', 'table', 'ip', 'mesh')
    await pod.serve('127.0.0.1', 8000, 'sidecar')
    await createRouter()(podWith({}))
    expect(pod.fetchMetadata()).toBe('sidecar')
    expect(pod.exec('nft', 'list', 'table', 'ip', 'mesh')).toBe(mesh)
  })

  test('passes over a file that is no namespace any more', async () => {
    using pod = await podNetwork()
    writeFileSync(join(directory, 'aaa-stale'), '')
    keep(pod)
    await createRouter()(podWith({}))
    expect(rulesOf(pod)).toContain('to_sidecar')
  })

  test('changes nothing when the pod is routed already, and completes what was interrupted', async () => {
    using pod = await podNetwork()
    keep(pod)
    const route = createRouter()
    await route(podWith({}))
    const first = rulesOf(pod)
    await route(podWith({}))
    expect(rulesOf(pod)).toBe(first)
    pod.exec('ip', 'address', 'flush', 'dev', 'lo', 'to', '169.254.169.254/32')
    await route(podWith({}))
    expect(rulesOf(pod)).toBe(first)
    pod.exec('nft', 'delete', 'table', 'ip', 'wimds')
    await route(podWith({}))
    expect(rulesOf(pod)).toBe(first)
  })

  test('adds the rule for restarts once, when the sidecar has started', async () => {
    using pod = await podNetwork()
    keep(pod)
    const route = createRouter()
    await route(podWith({}))
    expect(rulesOf(pod)).not.toContain('await_restart')
    await route(podWith({ isStarted: true }))
    const started = rulesOf(pod)
    expect(started).toContain('await_restart')
    await route(podWith({ isStarted: true }))
    expect(rulesOf(pod)).toBe(started)
  })

  test('two agents at the same time leave the rules of one', async () => {
    using pod = await podNetwork()
    keep(pod)
    await createRouter()(podWith({}))
    const expected = rulesOf(pod)
    pod.exec('nft', 'delete', 'table', 'ip', 'wimds')
    const routers = Array.from({ length: 4 }, () => createRouter())
    await Promise.all(routers.map((route) => route(podWith({}))))
    expect(rulesOf(pod)).toBe(expected)
  })

  test('finds a pod by its processes, and not by one that has another network', async () => {
    using pod = await podNetwork()
    // Fixtures of /proc: what a real process has, with the cgroup of a pod.
    const uid = podWith({}).uid
    const proc = mkdtempSync(join(tmpdir(), 'wimds-proc-'))
    try {
      execFileSync('mkdir', ['-p', join(proc, '42/ns'), join(proc, '43/ns'), join(proc, 'self')])
      for (const own of ['1', 'self']) {
        rmSync(join(proc, own), { recursive: true, force: true })
        symlinkSync('/proc/self', join(proc, own))
      }
      execFileSync('sh', ['-c', `echo 0::/kubepods/pod${uid}/a | tee 42/cgroup > 43/cgroup`], {
        cwd: proc,
      })
      symlinkSync('/proc/self/ns/net', join(proc, '42/ns/net'))
      symlinkSync(pod.namespacePath, join(proc, '43/ns/net'))
      const findNamespaces = createNamespaceSearch({
        discovery: 'processes',
        netnsDirectory: '/nowhere',
        procDirectory: proc,
      })
      const tools = { path: process.env['PATH'], signal }
      await createPodRouter({ findNamespaces, tools })(podWith({}))
      expect(rulesOf(pod)).toContain('to_sidecar')
      expect(
        (await failureOf(createPodRouter({ findNamespaces, tools })(podWith({ uid: 'b' })))).reason,
      ).toBe('namespace_not_found')
    } finally {
      rmSync(proc, { recursive: true })
    }
  })

  test('never enters its own network, and refuses the one of the node', async () => {
    symlinkSync('/proc/self/ns/net', join(directory, 'own'))
    const failure = await failureOf(createRouter()(podWith({ addresses: ['127.0.0.1'] })))
    expect(failure.reason).toBe('namespace_not_found')

    using pod = await podNetwork()
    keep(pod)
    const before = rulesOf(pod)
    const refused = await failureOf(createRouter()(podWith({ hostIP: '10.9.0.2' })))
    expect(refused.reason).toBe('node_namespace')
    expect(rulesOf(pod)).toBe(before)
  })

  test.each(['kata-qemu', 'gvisor', 'runsc'])('refuses the runtime class %s', async (name) => {
    const failure = await failureOf(createRouter()(podWith({ spec: { runtimeClassName: name } })))
    expect(failure.reason).toBe('runtime_not_supported')
    expect(failure.message).toContain(name)
  })

  test('pods that start together read each namespace once, and not again the namespaces of others', async () => {
    using first = await podNetwork('10.9.0.2')
    using second = await podNetwork('10.9.0.3')
    using third = await podNetwork('10.9.0.4')
    for (const pod of [first, second, third]) keep(pod)
    using counter = createReadCounter()
    const route = createRouter({ path: counter.path })
    await Promise.all(
      ['10.9.0.2', '10.9.0.3', '10.9.0.4'].map((address) =>
        route(podWith({ addresses: [address] })),
      ),
    )
    for (const pod of [first, second, third]) expect(rulesOf(pod)).toContain('to_sidecar')
    // Three namespaces, each at most once more for its own pod, whose address may have moved.
    expect(counter.reads()).toBeLessThanOrEqual(6)
  })

  test('caches the addresses of so many namespaces and no more', async () => {
    using pod = await podNetwork('10.9.0.2')
    using other = await podNetwork('10.9.0.3')
    for (const each of [pod, other]) keep(each)
    using counter = createReadCounter()
    const route = createRouter({ path: counter.path, maxCached: 1 })
    for (const expected of [2, 4]) {
      await route(podWith({}))
      expect(counter.reads()).toBe(expected)
    }
  })

  test('finds a pod whose namespace had only a link-local address when it was read', async () => {
    using pod = await podNetwork('10.9.0.2')
    using other = await podNetwork('10.9.0.3')
    for (const each of [pod, other]) keep(each)
    pod.exec('ip', '-4', 'address', 'flush', 'dev', 'eth0')
    expect(pod.exec('ip', 'address', 'show', 'dev', 'eth0')).toMatch(/inet6 fe80:/)
    const route = createRouter()
    await route(podWith({ addresses: ['10.9.0.3'] }))
    pod.exec('ip', 'address', 'add', '10.9.0.2/24', 'dev', 'eth0')
    await route(podWith({ addresses: ['10.9.0.2'] }))
    expect(rulesOf(pod)).toContain('to_sidecar')
  })

  test('says which tool is missing', async () => {
    using pod = await podNetwork()
    keep(pod)
    const tools = mkdtempSync(join(tmpdir(), 'wimds-tools-'))
    try {
      for (const tool of ['nsenter', 'ip']) {
        const path = execFileSync('which', [tool]).toString().trim()
        symlinkSync(path, join(tools, tool))
      }
      const failure = await failureOf(createRouter({ path: tools })(podWith({})))
      expect(failure.reason).toBe('tool_failed')
      expect(failure.message).toContain('the redirect needs nft and ip on the PATH')
    } finally {
      rmSync(tools, { recursive: true })
    }
  })

  test('routes one pod among a hundred namespaces while some vanish', async () => {
    using pod = await podNetwork()
    keep(pod)
    const names = Array.from({ length: 100 }, (_, index) => `wimds-many-${process.pid}-${index}`)
    const batch = (verb: string) => names.map((name) => `netns ${verb} ${name}\n`).join('')
    const ip = (verb: string) =>
      execFileSync(IP, ['-force', '-batch', '-'], { input: batch(verb), stdio: 'pipe' })
    ip('add')
    try {
      for (const name of names) symlinkSync(`/var/run/netns/${name}`, join(directory, name))
      const routed = createRouter()(podWith({}))
      const removal = spawn(IP, ['-force', '-batch', '-'], {
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      removal.stdin.end(batch('delete'))
      await Promise.all([routed, once(removal, 'exit')])
      expect(rulesOf(pod)).toContain('to_sidecar')
    } finally {
      try {
        ip('delete')
      } catch {
        // Deleted already.
      }
    }
  })
})
