/** Pods that were injected before: injecting them again gives what injecting a new pod gives. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { inject } from '../../../src/injection/injector/inject.ts'
import { uninject } from '../../../src/injection/injector/injection-record.ts'
import {
  APP,
  containerOf,
  injected,
  type InjectedPod,
  patchFor,
  pod,
  reasonsFor,
  request,
  type TestContainer,
} from './patched.ts'

/** Returns a pod whose container has these variables. */
const withEnv = (env: readonly object[], annotations: Record<string, string> = ENV) => ({
  ...pod(annotations),
  spec: { containers: [{ ...APP, env }] },
})

const RECORD = 'wimds.io/injected'
/** The record of an injection that changed no container of the author. */
const LOOPBACK = JSON.stringify({ mode: 'loopback' })
const NFT = { 'wimds.io/mode': 'nft' }
const ENV = { 'wimds.io/mode': 'env' }

const HOST = { name: 'AZURE_POD_IDENTITY_AUTHORITY_HOST', value: 'http://127.0.0.1:64169' }

test('in mode loopback it keeps the endpoint variables of its author, which injection adds in mode env alone', () => {
  const secretKeyRef = { name: 'header', key: 'identity-header' }
  const sidecarEnv = [{ name: 'WIMDS_IDENTITY_HEADER', value: 'the same' }]
  const env = [
    HOST,
    { name: 'IDENTITY_ENDPOINT', value: 'http://127.0.0.1:64169/msi/token' },
    { name: 'IDENTITY_HEADER', valueFrom: { secretKeyRef } },
  ]
  const once = injected(withEnv(env, {}), { sidecarEnv })
  expect(containerOf(once, 'app').env).toEqual(expect.arrayContaining(env))
  expect(injected(once, { sidecarEnv })).toEqual(once)
})

const two = (annotations: Record<string, string>, env: readonly object[]) => ({
  metadata: { annotations: { ...ENV, ...annotations } },
  spec: { containers: [APP, { name: 'own', env }] },
})

describe('in mode env a skipped container', () => {
  const SKIP = { 'wimds.io/skip-containers': 'own' }
  test('keeps a variable of its author that is also the sidecar’s', () => {
    const once = injected(two(SKIP, [HOST]))
    expect(containerOf(once, 'own').env).toEqual([HOST])
    expect(injected(once)).toEqual(once)
  })

  test('loses what injection added before it was skipped', () => {
    const skipping = withAnnotations(injected(two({}, [])), { ...ENV, ...SKIP })
    expect(containerOf(injected(skipping), 'own').env ?? []).toEqual([])
  })
})

test('in mode env a variable of the author that has the value of injection’s stays in every mode', () => {
  const env = [HOST, { name: 'URL', value: `$(${HOST.name})/metadata/identity/oauth2/token` }]
  const once = injected(withEnv(env))
  expect(containerOf(once, 'app').env).toEqual(expect.arrayContaining(env))
  expect(injected(once)).toEqual(once)
  expect(containerOf(injected(withAnnotations(once, NFT)), 'app').env).toEqual(env)
})

test('in mode env a variable that its author sets twice stays, of which the kubelet takes the last', () => {
  const env = [
    { name: 'MSI_SECRET', value: 'a' },
    { name: 'MSI_SECRET', value: 'b' },
  ]
  const once = injected(withEnv(env))
  expect(containerOf(once, 'app').env?.slice(0, 2)).toEqual(env)
  expect(containerOf(once, 'app').env).not.toContainEqual(
    expect.objectContaining({ name: 'MSI_ENDPOINT' }),
  )
  expect(injected(once)).toEqual(once)
  expect(uninject(once)).toMatchObject({ kind: 'uninjected', pod: withEnv(env) })
})

test('in mode env a variable that was edited since stays, and is reported as the author’s', () => {
  const once = injected(pod(ENV))
  const containers = [{ ...APP, env: [{ ...HOST, value: 'http://127.0.0.1:9' }] }]
  const edited = { ...once, spec: { ...once.spec, containers } }
  expect(reasonsFor(edited)).toEqual([expect.stringContaining(`sets ${HOST.name}, so SDKs`)])
})

test('in mode env an identity header that was edited since stays, and its removal says so', () => {
  const mine = { name: 'IDENTITY_HEADER', value: 'mine' }
  const once = injected(pod(ENV))
  const env = (containerOf(once, 'app').env ?? []).map((entry) =>
    entry.name === mine.name ? mine : entry,
  )
  const edited = { ...once, spec: { ...once.spec, containers: [{ ...APP, env }] } }
  expect(uninject(edited)).toEqual({
    kind: 'uninjected',
    pod: withEnv([mine]),
    warnings: [expect.stringContaining('edited after the injection: IDENTITY_HEADER of app')],
  })
  expect(containerOf(injected(edited), 'app').env).toContainEqual(mine)
})

test.each<readonly [string, object]>([
  ['a value', { value: 'hunter2' }],
  ['a Secret', { valueFrom: { secretKeyRef: { name: 'header', key: 'identity-header' } } }],
])('an identity header of the sidecar that is %s is removed from the containers', (_, source) => {
  const sidecarEnv = [{ name: 'WIMDS_IDENTITY_HEADER', ...source }]
  const once = injected(pod(ENV), { sidecarEnv })
  expect(containerOf(once, 'app').env).toContainEqual({ name: 'IDENTITY_HEADER', ...source })
  expect(uninject(once)).toMatchObject({ kind: 'uninjected', pod: pod(ENV), warnings: [] })
})

test('its record contains no secret', () => {
  const sidecarEnv = [{ name: 'WIMDS_IDENTITY_HEADER', value: 'hunter2' }]
  const { annotations } = injected(pod(ENV), { sidecarEnv }).metadata
  const digest = createHash('sha256').update('hunter2').digest('base64url').slice(0, 8)
  expect(annotations[RECORD]).toContain('IDENTITY_HEADER')
  expect(annotations[RECORD]).not.toContain('hunter2')
  expect(annotations[RECORD]).not.toContain(digest)
})

describe('a sidecar without a record of this version', () => {
  const old = {
    metadata: { annotations: { [RECORD]: 'loopback' } },
    spec: { containers: [APP], initContainers: [{ name: 'wimds', image: 'wimds:old' }] },
  }
  const problem = expect.stringMatching(/container wimds that .* Fix: start from the manifest/)

  test('is admitted as it is, with a warning', () => {
    expect(inject(request(old, {}, { isAdmission: true }))).toEqual({
      kind: 'skipped',
      warnings: [problem],
    })
  })

  test('is rejected at admission if it has no record of any version', () => {
    const own = { ...old, metadata: { annotations: { 'wimds.io/inject': 'true' } } }
    expect(inject(request(own, {}, { isAdmission: true }))).toEqual({
      kind: 'rejected',
      reasons: [problem],
    })
  })

  test('is rejected in a manifest', () => {
    expect(inject(request(old))).toEqual({ kind: 'rejected', reasons: [problem] })
    expect(uninject(old)).toEqual({ kind: 'rejected', reasons: [problem] })
  })
})

test('without an annotation it keeps its mode whatever the settings say, with a warning', () => {
  const once = injected(pod(), { mode: 'nft' })
  expect(injected(once, { mode: 'env' })).toEqual(once)
  expect(inject(request(once, { mode: 'env' }))).toMatchObject({
    warnings: [expect.stringContaining('keeps mode nft of its earlier injection')],
  })
  expect(inject(request(once, { mode: 'nft' }))).toMatchObject({ warnings: [] })
})

describe('a container of a reserved name in a pod that claims to be injected', () => {
  const crafted = {
    command: ['/bin/evil'],
    args: ['evil'],
    env: [{ name: 'LD_PRELOAD', value: '/evil.so' }],
    envFrom: [{ secretRef: { name: 'evil' } }],
    lifecycle: { postStart: { exec: { command: ['/bin/evil'] } } },
    securityContext: { privileged: true },
    volumeMounts: [{ name: 'host', mountPath: '/host' }],
  }
  const volumes = [{ name: 'host', hostPath: { path: '/' } }]
  const claiming = (spec: object) => ({
    metadata: { annotations: { [RECORD]: LOOPBACK } },
    spec: { ...pod().spec, volumes, ...spec },
  })

  test.each(['wimds', 'wimds-redirect', 'wimds-gate'])(
    'is written whole or removed: %s',
    (name) => {
      const once = injected(claiming({ initContainers: [{ name, ...crafted }] }))
      const fresh = injected({ ...pod(), spec: { ...pod().spec, volumes } })
      expect(once).toEqual(fresh)
    },
  )

  test('is put back in the first place', () => {
    const once = injected(pod())
    const [sidecar, redirect] = once.spec.initContainers ?? []
    const initContainers = [redirect, { name: 'migrate' }, sidecar]
    const names = injected({
      ...once,
      spec: { ...once.spec, initContainers },
    }).spec.initContainers?.map(({ name }) => name)
    expect(names).toEqual(['wimds', 'wimds-redirect', 'migrate'])
  })
})

describe('between two calls of the webhook', () => {
  const AT_ADMISSION = { isAdmission: true }
  /** As LimitRanger and AlwaysPullImages leave an injected container, and more. */
  const changes = {
    imagePullPolicy: 'Always',
    image: 'mirror/wimds:test',
    args: ['evil'],
    resources: {
      requests: { cpu: '7m', memory: '7Mi', 'ephemeral-storage': '1Gi' },
      limits: { cpu: '500m', memory: '7Mi', 'ephemeral-storage': '2Gi' },
      claims: [{ name: 'evil' }],
    },
  }

  test.each(['loopback', 'env', 'node'])(
    'the defaults of admission plugins are kept, and nothing else, in mode %s',
    (mode) => {
      const once = recorded(injected(pod({ 'wimds.io/mode': mode })))
      const twice = injected(changed(once, changes), {}, AT_ADMISSION)
      const requests = { cpu: '10m', memory: '64Mi', 'ephemeral-storage': '1Gi' }
      const limits = { cpu: '500m', memory: '128Mi', 'ephemeral-storage': '2Gi' }
      const kept = { imagePullPolicy: 'Always', resources: { requests, limits } }
      expect(twice).toEqual(changed(once, kept))
      expect(patchFor(twice, {}, AT_ADMISSION)).toEqual([])
    },
  )

  test('amounts of a container that LimitRanger did not change are not kept', () => {
    const once = injected(pod())
    const policy = { imagePullPolicy: 'Always' }
    expect(injected(changed(once, changes), {}, AT_ADMISSION)).toEqual(changed(once, policy))
  })

  test('a pod that is no longer Guaranteed loses the CPU limit of the class', () => {
    const resources = { limits: { cpu: '1', memory: '1Gi' } }
    const once = injected({ ...pod(), spec: { containers: [{ ...APP, resources }] } })
    expect(containerOf(once, 'wimds').resources).toMatchObject({ limits: { cpu: '100m' } })
    const proxy = { name: 'istio-proxy', resources: { requests: { cpu: '100m' } } }
    const containers = [...once.spec.containers, proxy]
    const twice = injected({ ...once, spec: { ...once.spec, containers } }, {}, AT_ADMISSION)
    expect(containerOf(twice, 'wimds')).toEqual(containerOf(injected(pod()), 'wimds'))
  })

  test('a pull policy other than Always is not kept', () => {
    const once = injected(pod())
    const never = changed(once, { imagePullPolicy: 'Never' })
    expect(injected(never, {}, AT_ADMISSION)).toEqual(once)
  })

  test('a manifest is written whole', () => {
    const once = injected(pod())
    expect(injected(changed(once, changes))).toEqual(once)
  })
})

/** As LimitRanger records what it has set in all init containers. */
function recorded(given: InjectedPod): InjectedPod {
  const set = (given.spec.initContainers ?? []).flatMap(({ name }) => [
    `ephemeral-storage request for init container ${name}`,
    `cpu, ephemeral-storage limit for init container ${name}`,
  ])
  const record = `LimitRanger plugin set: cpu limit for container app; ${set.join('; ')}`
  const annotations = { ...given.metadata.annotations, 'kubernetes.io/limit-ranger': record }
  return { ...given, metadata: { annotations } }
}

/** Changes all init containers. */
function changed(given: InjectedPod, fields: Partial<TestContainer>): InjectedPod {
  const initContainers = (given.spec.initContainers ?? []).map((each) => ({ ...each, ...fields }))
  return { ...given, spec: { ...given.spec, initContainers } }
}

/** Replaces the pod's annotations, without the record of its injection. */
function withAnnotations(given: InjectedPod, annotations: Record<string, string>): InjectedPod {
  const record = { [RECORD]: given.metadata.annotations[RECORD] ?? '' }
  return { ...given, metadata: { annotations: { ...annotations, ...record } } }
}
