/** Pods that were injected before: injecting them again gives what injecting a new pod gives. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { inject } from '../../../src/injection/injector/inject.ts'
import { uninject } from '../../../src/injection/injector/uninject.ts'
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
const NFT = { 'wimds.io/mode': 'nft' }
const ENV = { 'wimds.io/mode': 'env' }

const HOST = { name: 'AZURE_POD_IDENTITY_AUTHORITY_HOST', value: 'http://127.0.0.1:64169' }

test('in mode env a skipped container loses what injection added before', () => {
  const two = (annotations: Record<string, string>) => ({
    metadata: { annotations: { ...ENV, ...annotations } },
    spec: { containers: [APP, { name: 'own' }] },
  })
  const skip = { ...ENV, 'wimds.io/skip-containers': 'own' }
  expect(injected(withAnnotations(injected(two({})), skip))).toEqual(injected(two(skip)))
})

test('in mode env a variable of the author stays in every mode, even if injection would set the same value', () => {
  const env = [HOST, { name: 'URL', value: `$(${HOST.name})/metadata/identity/oauth2/token` }]
  const once = injected(withEnv(env))
  expect(containerOf(once, 'app').env).toEqual(expect.arrayContaining(env))
  expect(injected(once)).toEqual(once)
  expect(containerOf(injected(withAnnotations(once, NFT)), 'app').env).toEqual(env)
})

test('in mode env both entries of a variable that its author sets twice stay', () => {
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

test('in mode env a variable that was edited after the injection stays, so the next injection is rejected', () => {
  const once = injected(pod(ENV))
  const containers = [{ ...APP, env: [{ ...HOST, value: 'http://127.0.0.1:9' }] }]
  const edited = { ...once, spec: { ...once.spec, containers } }
  expect(reasonsFor(edited)).toEqual([expect.stringContaining(`sets ${HOST.name}, so SDKs`)])
})

test('in mode env an identity header that was edited after the injection stays, and the removal reports it', () => {
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
])(
  'the removal finds an identity header from %s, which the record does not contain',
  (_, source) => {
    const sidecarEnv = [{ name: 'WIMDS_IDENTITY_HEADER', ...source }]
    const once = injected(pod(ENV), { sidecarEnv })
    expect(containerOf(once, 'app').env).toContainEqual({ name: 'IDENTITY_HEADER', ...source })
    expect(uninject(once)).toMatchObject({ kind: 'uninjected', pod: pod(ENV), warnings: [] })
    const digest = createHash('sha256').update('hunter2').digest('base64url').slice(0, 8)
    expect(once.metadata.annotations[RECORD]).toContain('IDENTITY_HEADER')
    expect(once.metadata.annotations[RECORD]).not.toContain('hunter2')
    expect(once.metadata.annotations[RECORD]).not.toContain(digest)
  },
)

test('a pod with a sidecar is admitted with a warning if another version has recorded it, and rejected without a record', () => {
  const old = {
    metadata: { annotations: { [RECORD]: 'loopback' } },
    spec: { containers: [APP], initContainers: [{ name: 'wimds', image: 'wimds:old' }] },
  }
  const own = { ...old, metadata: { annotations: { 'wimds.io/inject': 'true' } } }
  const problem = expect.stringMatching(/container wimds that .* Fix: start from the manifest/)
  const [skipped, rejected] = [old, own].map((each) =>
    inject(request(each, {}, { isAdmission: true })),
  )
  expect(skipped).toEqual({ kind: 'skipped', warnings: [problem] })
  for (const result of [rejected, inject(request(old)), uninject(old)]) {
    expect(result).toEqual({ kind: 'rejected', reasons: [problem] })
  }
})

test('an injected pod without the annotation keeps its mode if the settings have another, with a warning', () => {
  const once = injected(pod(), { mode: 'nft' })
  expect(injected(once, { mode: 'env' })).toEqual(once)
  expect(inject(request(once, { mode: 'env' }))).toMatchObject({
    warnings: [expect.stringContaining('keeps mode nft of its earlier injection')],
  })
  expect(inject(request(once, { mode: 'nft' }))).toMatchObject({ warnings: [] })
})

test.each(['wimds', 'wimds-redirect', 'wimds-gate'])(
  'a container %s in a pod with a forged record is replaced or removed',
  (name) => {
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
    const claiming = pod(
      { [RECORD]: JSON.stringify({ mode: 'loopback' }) },
      { volumes, initContainers: [{ name: 'migrate' }, { name, ...crafted }] },
    )
    expect(injected(claiming)).toEqual(
      injected(pod({}, { volumes, initContainers: [{ name: 'migrate' }] })),
    )
  },
)

describe('between two calls of the webhook', () => {
  const AT_ADMISSION = { isAdmission: true }
  /** The fields that LimitRanger and AlwaysPullImages set in an injected container, and fields that they do not set. */
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
    'injection keeps the defaults of admission plugins, and nothing else, in mode %s',
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

  test('injection keeps no other amounts and pull policies, and keeps none in a manifest', () => {
    const once = injected(pod())
    const policy = { imagePullPolicy: 'Always' }
    expect(injected(changed(once, changes), {}, AT_ADMISSION)).toEqual(changed(once, policy))
    const never = changed(once, { imagePullPolicy: 'Never' })
    expect(injected(never, {}, AT_ADMISSION)).toEqual(once)
    expect(injected(recorded(changed(once, changes))).spec).toEqual(once.spec)
  })
})

/** Adds the annotation in which LimitRanger records what it has set in all init containers. */
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
