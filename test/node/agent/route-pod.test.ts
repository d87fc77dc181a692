/** Routes pods in real network namespaces. */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createPodRouter, type Route, RouteFailure } from '../../../src/node/agent/route-pod.ts'
import type { RoutedPod } from '../../../src/node/agent/routed-pod.ts'
import { createSandboxReader } from '../../../src/node/agent/sandboxes.ts'
import { podNetwork, type PodNetwork, reasonToSkip } from '../../redirect/namespace.ts'
import { compiledHelper } from './helper.ts'
import { cniResult, nodeModePod, routedPod, sandboxBundle } from './pods.ts'
import { createFolder, type Folder } from '../../fixtures/folder.ts'

const reason = reasonToSkip()
if (reason !== undefined) process.stderr.write(`skipped test/node/agent: ${reason}\n`)

/** As the container runtime keeps them; with the namespaces of this test alone. */
let netns: Folder
let cniResults: Folder
let bundles: Folder
let kubelet: Folder
beforeEach(() => {
  kubelet = createFolder()
  netns = createFolder()
  cniResults = createFolder()
  bundles = createFolder()
})
afterEach(() => {
  for (const folder of [netns, cniResults, bundles, kubelet]) folder[Symbol.dispose]()
})

const UID = nodeModePod().metadata.uid
let sandboxes = 0
/** Records the namespace for the pod, as the CNI library does. */
function keep({ namespacePath }: Pick<PodNetwork, 'namespacePath'>, uid = UID): void {
  const path = netns.file(basename(namespacePath))
  symlinkSync(namespacePath, path)
  record(path, uid)
}
function record(path: string, uid: string): void {
  mkdirSync(kubelet.file(uid), { recursive: true })
  cniResults.write(`kindnet-${(sandboxes += 1)}-eth0`, cniResult(uid, path))
}
/** Records a sandbox as the CNI library of containerd 1.7 does for azure-vnet, which reports no namespace. */
function recordByAzure(uid: string, containerId: string): void {
  mkdirSync(kubelet.file(uid), { recursive: true })
  const { result, ...rest } = cniResult(uid, '')
  const interfaces = [{ name: 'eth0' }]
  const cached = { ...rest, containerId, result: { ...result, interfaces } }
  cniResults.write(`azure-${containerId}-eth0`, cached)
}

/** Creates the network of the pod, with its record. */
async function keptNetwork(uid = UID): Promise<PodNetwork> {
  const network = await podNetwork()
  keep(network, uid)
  return network
}

const signal = AbortSignal.timeout(600_000)
compiledHelper()

/** The routes of the test, whose sockets are closed after it. */
const routes: Route[] = []
afterEach(() => {
  for (const { socket } of routes.splice(0)) socket.close()
})

const findSettings = ({ env }: RoutedPod) => Promise.resolve(env)

function createRouter(path = process.env['PATH']) {
  const readSandboxes = createSandboxReader({
    cniResultsDirectory: cniResults.path,
    bundlesDirectory: bundles.path,
    netnsDirectory: netns.path,
  })
  const routePod = createPodRouter({
    findSettings,
    listens: () => true,
    readSandboxes,
    kubeletPodsDirectory: kubelet.path,
    tools: { path, signal },
    limitTools: (work) => work(),
  })
  return async (pod: RoutedPod, previous?: Route) => {
    const route = await routePod(pod, previous)
    if (route !== previous) routes.push(route)
    return route
  }
}

/** Routes with a new snapshot of the records. */
const routeAnew = (pod: RoutedPod, previous?: Route) => createRouter()(pod, previous)

async function failureOf(routed: Promise<unknown>): Promise<RouteFailure> {
  const error: unknown = await routed.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof RouteFailure)) throw new Error('it did not fail as expected')
  return error
}

const rulesOf = (pod: PodNetwork) => pod.exec('nft', 'list', 'ruleset') + pod.exec('ip', 'route')

describe.skipIf(reason !== undefined)('in network namespaces', () => {
  test('ignores the record of a sandbox that does not exist any more, and a file that is no record', async () => {
    using pod = await podNetwork()
    record(netns.write('ended', ''), UID)
    record(netns.file('of-another-boot'), UID)
    cniResults.write('being-written', '{"kind":"cniCacheV1","cniA')
    cniResults.write('other', { kind: 'cniCacheV1', cniArgs: [] })
    mkdirSync(cniResults.file('directory'))
    keep(pod)
    await createRouter()(routedPod())
    expect(rulesOf(pod)).toContain('to_sidecar')
  })

  test('opens a socket that listens before the first tool changes the network of the pod', async () => {
    using _ = await keptNetwork()
    using tools = createFolder()
    const seen = tools.file('sockets')
    const PATH = process.env['PATH']
    const keepSockets = `cat /proc/net/tcp >> ${seen}`
    for (const tool of ['ip', 'nft']) {
      const run = `echo ${tool} >> ${seen}\n${keepSockets}\nPATH='${PATH}' exec ${tool} "$@"`
      tools.write(tool, `#!/bin/sh\n${run}\n`, 0o755)
    }
    await createRouter(`${tools.path}:${PATH}`)(routedPod())
    // 127.0.0.1:64169 in the state LISTEN (0A).
    const found = readFileSync(seen, 'utf8').match(/^(?:ip|nft)$|0100007F:FAA9 \S+ 0A/gm)
    const listener = '0100007F:FAA9 00000000:0000 0A'
    expect(found).toEqual(['ip', listener, 'nft', listener])
  })

  test('does not take the record of the loopback plugin, which comes before the network', async () => {
    using pod = await keptNetwork()
    const [file = ''] = readdirSync(cniResults.path)
    const result = cniResult(UID, netns.file(basename(pod.namespacePath)))
    cniResults.write(file, { ...result, ifName: 'lo' })
    expect((await failureOf(createRouter()(routedPod()))).reason).toBe('namespace_not_found')
  })

  test('a route stays without its record, until another pod claims the namespace or the runtime has removed it', async () => {
    using pod = await keptNetwork()
    const made = await routeAnew(routedPod())
    for (const file of readdirSync(cniResults.path)) rmSync(cniResults.file(file))
    expect(await routeAnew(routedPod(), made)).toBe(made)
    const deleted = { ...routedPod(), isEnding: true, isDeleted: true }
    expect((await failureOf(routeAnew(deleted, made))).reason).toBe('namespace_not_found')
    const path = netns.file(basename(pod.namespacePath))
    record(path, 'other')
    expect((await failureOf(routeAnew(routedPod(), made))).reason).toBe('namespace_not_found')
    for (const file of readdirSync(cniResults.path)) rmSync(cniResults.file(file))
    rmSync(path)
    expect((await failureOf(routeAnew(routedPod(), made))).reason).toBe('namespace_not_found')
    using next = await podNetwork()
    symlinkSync(next.namespacePath, path)
    expect((await failureOf(routeAnew(routedPod(), made))).reason).toBe('namespace_not_found')
  })

  test('routes nothing when two namespaces are recorded for the pod, or one for two pods', async () => {
    using pod = await keptNetwork()
    using second = await keptNetwork()
    const twice = await failureOf(createRouter()(routedPod()))
    expect(twice.reason).toBe('namespace_ambiguous')
    expect(twice.message).toContain(basename(second.namespacePath))
    record(netns.file(basename(second.namespacePath)), 'third')
    const shared = await failureOf(createRouter()(routedPod({ uid: 'third' })))
    expect(shared.reason).toBe('namespace_ambiguous')
    expect(shared.message).toContain(UID)
    for (const each of [pod, second]) expect(rulesOf(each)).not.toContain('to_sidecar')
  })

  test('says which port is taken', async () => {
    using pod = await keptNetwork()
    await pod.serve('127.0.0.1', 64169, 'application')
    const failure = await failureOf(createRouter()(routedPod()))
    expect(failure.reason).toBe('socket_failed')
    expect(failure.message).toContain('64169: Address already in use')
    expect(rulesOf(pod)).not.toContain('to_sidecar')
  })

  test('finds the namespace in the bundle of the sandbox where the CNI result has none', async () => {
    using pod = await podNetwork()
    using other = await podNetwork()
    const [path, otherPath] = [pod, other].map(({ namespacePath }) => {
      const link = netns.file(basename(namespacePath))
      symlinkSync(namespacePath, link)
      return link
    })
    recordByAzure(UID, 'a1')
    recordByAzure('other', 'b2')
    bundles.write('b2/config.json', sandboxBundle('other', otherPath ?? ''))
    // It comes some milliseconds after the CNI result, and may be half written.
    expect((await failureOf(createRouter()(routedPod()))).reason).toBe('namespace_not_found')
    bundles.write('a1/config.json', '{"annotations"')
    expect((await failureOf(createRouter()(routedPod()))).reason).toBe('namespace_not_found')
    bundles.write('a1/config.json', sandboxBundle(UID, path ?? ''))
    await createRouter()(routedPod())
    expect(rulesOf(pod)).toContain('to_sidecar')
    expect(rulesOf(other)).not.toContain('to_sidecar')
  })

  test.each<[string, object]>([
    ['a container of the pod', { 'io.kubernetes.cri.container-type': 'container' }],
    ['the sandbox of another pod', { 'io.kubernetes.cri.sandbox-uid': 'other' }],
  ])('does not take the namespace of %s', async (_, annotations) => {
    using pod = await podNetwork()
    const path = netns.file(basename(pod.namespacePath))
    symlinkSync(pod.namespacePath, path)
    recordByAzure(UID, 'a1')
    const bundle = sandboxBundle(UID, path)
    bundles.write('a1/config.json', {
      ...bundle,
      annotations: { ...bundle.annotations, ...annotations },
    })
    expect((await failureOf(createRouter()(routedPod()))).reason).toBe('namespace_not_found')
  })

  test('names the directory of the kubelet if that has none of a pod whose sandbox runs', async () => {
    using _ = await keptNetwork()
    rmSync(kubelet.file(UID), { recursive: true })
    const failure = await failureOf(createRouter()(routedPod()))
    expect(failure.reason).toBe('kubelet_directory')
    expect(failure.message).toContain(`${kubelet.path} of the agent has no directory for the pod`)
    expect(failure.message).toContain('Fix: set nodeAgent.kubeletDirectory')
  })

  test('a pod that has made very many nftables rules fails alone, and its event says so', async () => {
    using pod = await keptNetwork()
    const rules = Array.from(
      { length: 12 },
      (_, at) => `add rule ip NAME c ip daddr 10.0.0.${at} tcp dport { 80, 443 } counter accept`,
    )
    const table = ['add table ip NAME', 'add chain ip NAME c', ...rules].join('\n')
    const tables = Array.from({ length: 400 }, (_, at) => table.replaceAll('NAME', `t${at}`))
    pod.exec('sh', '-c', `nft -f ${kubelet.write('many', tables.join('\n'))}`)
    const failure = await failureOf(createRouter()(routedPod()))
    expect(failure.reason).toBe('tool_failed')
    expect(failure.message).toContain('too many: remove those that the pod has added')
  })

  test('refuses its own network', async () => {
    keep({ namespacePath: '/proc/self/ns/net' })
    const failure = await failureOf(createRouter()(routedPod()))
    expect(failure.reason).toBe('node_namespace')
  })

  test('refuses a runtime with a network of its own', async () => {
    keep({ namespacePath: '/proc/self/ns/net' })
    const pod = routedPod({ spec: { runtimeClassName: 'kata-qemu' } })
    expect((await failureOf(createRouter()(pod))).reason).toBe('runtime_not_supported')
  })
})
