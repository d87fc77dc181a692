import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { inject } from '../../src/tools/inject/inject.ts'
import { SET_BY_INJECTION } from '../../src/injection/injector/injection-settings.ts'
import { VERSION } from '../../src/lib/version.ts'
import { runCommand } from './capture.ts'
import { createFolder } from '../fixtures/folder.ts'

const CLIENT = '11111111-1111-4111-8111-111111111111'
const TENANT = '22222222-2222-4222-8222-222222222222'
const IDENTITY = ['--client-id', CLIENT, '--tenant-id', TENANT]

const folder = createFolder()
const { path: directory, write: file } = folder
afterAll(() => folder[Symbol.dispose]())

const IMAGES = ['--image=a.test/wimds:1', '--redirect-image=a.test/redirect:1']

const runAsGiven = (args: readonly string[], input?: string | Uint8Array) =>
  runCommand(inject, args, {}, input)

const runVerbosely = (args: readonly string[], input?: string | Uint8Array) =>
  runAsGiven([...IMAGES, '--gate-image=a.test/gate:1', ...args], input)

/** Runs it without the lines on what was done to each object. */
const run = (args: readonly string[], input?: string | Uint8Array) =>
  runVerbosely(['--quiet', ...args], input)

const SERVICE_ACCOUNT = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: orders
  namespace: shop
  annotations:
    azure.workload.identity/client-id: ${CLIENT}
    azure.workload.identity/tenant-id: ${TENANT}
`

const COMMENTED = `# Orders, owned by the shop team.
${SERVICE_ACCOUNT}---
apiVersion: apps/v1
kind: Deployment # long-running
metadata: {name: orders, namespace: shop}
spec:
  template:
    metadata:
      labels:
        app: orders # selected by the Service
    spec:
      serviceAccountName: orders
      # before everything else
      initContainers:
      # the schema
      - name: migrate
        image: "orders:1" # pinned
      containers:
      - name: app
        image: orders:1
        env:
        - name: NO_PROXY
          value: '.svc' # the cluster's own
      # nothing after this
---
apiVersion: v1
kind: ConfigMap
metadata:   {name: untouched}
`

const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16()

const podOf = (name: string, kind = 'Pod', apiVersion = 'v1') => ({
  apiVersion,
  kind,
  metadata: { name },
})
const POD_SPEC = { containers: [{ name: 'app', image: 'app:1' }] }
const POD = stringify({ ...podOf('x'), spec: POD_SPEC })

const optOut = (pod: string) =>
  pod.replace('name: x', `name: x\n  annotations: {wimds.io/inject: "false"}`)

test('no name in a manifest makes a line of its own on standard error, or controls the terminal', async () => {
  const kind = String.raw`"Deployment\e[31m\nwimds inject: fake:1: Deployment/ok: injected\n::error::x"`
  const source = `apiVersion: apps/v1
kind: ${kind}
metadata: {name: "x\\e[31m"}
---
apiVersion: v1
kind: Pod
metadata: {name: y}
spec: {containers: [{name: "c\\n::error::y", env: [{name: IDENTITY_ENDPOINT, value: 'http://a'}]}]}
`
  const { code, err } = await runVerbosely([...IDENTITY, '-'], source)
  expect(code).toBe(0)
  expect(err).toContain('::error::y')
  expect(err).not.toMatch(/^(?!wimds inject: )./m)
  expect(err).not.toMatch(/^wimds inject: fake/m)
  expect(err.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
})

describe('wimds inject', () => {
  const KUSTOMIZE = '; for a patch of kustomize'

  test.each([
    ['apps/v1', 'Deployment', '{}', 'spec.template is missing', KUSTOMIZE],
    ['apps/v1', 'Deployment', '{template: x}', 'spec.template must be an object', ''],
    ['batch/v1', 'CronJob', '{}', 'spec.jobTemplate.spec.template is missing', KUSTOMIZE],
  ])(
    'names the place of the pod template: %s %s with %s',
    async (version, kind, spec, ...texts) => {
      const object = `apiVersion: ${version}\nkind: ${kind}\nmetadata: {name: x}\nspec: ${spec}\n`
      const { code, err } = await run([...IDENTITY, '-'], object)
      expect(code).toBe(1)
      expect(err).toContain(
        `wimds inject: stdin:1: ${kind}/x: ${texts[0]}. Fix: write the pod template there, with metadata and spec`,
      )
      expect(err).toContain(texts[1])
    },
  )

  test('keeps every line but the one it has to change, and the order of comments', async () => {
    const { code, out, err } = await run(['-'], COMMENTED)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const lines = out.split('\n')
    const kept = COMMENTED.split('\n').filter((line) => !line.includes(`value: '.svc'`))
    let at = -1
    const places = kept.map((line) => (at = lines.indexOf(line, at + 1)))
    expect(places).not.toContain(-1)
    expect(out).toContain(`value: '.svc,169.254.169.254,localhost,127.0.0.1' # the cluster's own`)
    expect(out).toContain(`      initContainers:
      - name: wimds
`)
    expect(out).toContain(`      # the schema
      - name: migrate
`)
  })

  test('takes the identity from the ServiceAccount of the same namespace in any file', async () => {
    const deployment = { ...podOf('orders'), spec: { ...POD_SPEC, serviceAccountName: 'orders' } }
    const here = file('here.json', JSON.stringify(deployment))
    const account = file('account.yaml', SERVICE_ACCOUNT)
    const found = await run(['--namespace', 'shop', here, account])
    expect(found.err).toBe('')
    expect(found.out).toContain(`"value":"${CLIENT}"`)
    const missed = await run([here, account])
    expect(missed).toMatchObject({ code: 1, out: '' })
    expect(missed.err).toContain(`${here}:1: Pod/orders: no tenant id`)
  })

  test('takes the identity of a flag before that of the ServiceAccount', async () => {
    const other = '99999999-9999-4999-8999-999999999999'
    const { out } = await run(['--client-id', other, '-'], COMMENTED)
    const variables = out.slice(out.indexOf('- name: wimds\n'))
    expect(variables).toContain(`value: ${other}`)
    expect(variables).toContain(`value: ${TENANT}`)
    expect(variables).not.toContain(`value: ${CLIENT}`)
  })

  test('names the annotation of the ServiceAccount with a value that the sidecar rejects', async () => {
    const { code, err } = await run(['-'], COMMENTED.replace(CLIENT, 'orders'))
    expect(code).toBe(1)
    expect(err).toContain(
      'the annotation azure.workload.identity/client-id of the ServiceAccount orders must be a GUID, not "orders". Fix: ',
    )
    expect(err).not.toContain('AZURE_CLIENT_ID')
  })

  test.each([
    ['Pod', 'v1', []],
    ['ReplicationController', 'v1', ['spec', 'template']],
    ['Deployment', 'apps/v1', ['spec', 'template']],
    ['StatefulSet', 'apps/v1', ['spec', 'template']],
    ['DaemonSet', 'apps/v1', ['spec', 'template']],
    ['ReplicaSet', 'apps/v1', ['spec', 'template']],
    ['Job', 'batch/v1', ['spec', 'template']],
    ['CronJob', 'batch/v1', ['spec', 'jobTemplate', 'spec', 'template']],
  ])('injects a %s, alone and in a List', async (kind, apiVersion, path) => {
    const nested = path.reduceRight<object>((inner, key) => ({ [key]: inner }), { spec: POD_SPEC })
    const workload = { ...podOf('x', kind, apiVersion), ...nested }
    const list = { apiVersion: 'v1', kind: 'List', items: [podOf('c', 'ConfigMap'), workload] }
    for (const [source, prefix] of [
      [workload, []],
      [list, ['items', '1']],
    ] as const) {
      const { out, err } = await run([...IDENTITY, '-'], JSON.stringify(source))
      expect(err).toBe('')
      const template: unknown = [...prefix, ...path, 'spec'].reduce<unknown>(member, parse(out))
      expect(template).toMatchObject({
        initContainers: [{ name: 'wimds' }, { name: 'wimds-redirect' }],
      })
    }
  })

  test('with --keep-rejected prints what it rejects unchanged, with a warning', async () => {
    const rejected = stringify({ ...podOf('x'), spec: { ...POD_SPEC, hostNetwork: true } })
    const source = `${rejected}---\n${stringify({ ...podOf('y'), spec: POD_SPEC })}`
    const refused = await run([...IDENTITY, '-'], source)
    expect(refused).toMatchObject({ code: 1, out: '' })
    expect(refused.err).toContain('or leave the pod out by the annotation wimds.io/inject: "false"')
    const { code, out, err } = await run([...IDENTITY, '--keep-rejected', '-'], source)
    expect(code).toBe(0)
    expect(out.startsWith(`${rejected}---\n`)).toBe(true)
    expect(out).toContain('name: wimds')
    expect(err).toMatch(/^wimds inject: stdin:1: Pod\/x: warning: the pod uses hostNetwork.*\n$/)
    const broken = await run([...IDENTITY, '--keep-rejected', '-'], `a: [\n---\n${source}`)
    expect(broken).toMatchObject({ code: 1, out: '' })
  })

  test('rejects a --mode that differs from an earlier injection', async () => {
    const { out: injected } = await run([...IDENTITY, '--mode', 'env', '-'], POD)
    const { code, out, err } = await run([...IDENTITY, '--mode', 'nft', '-'], injected)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain('was injected in mode env, but the mode is to be nft. Fix: set')
    for (const flags of [[], ['--mode', 'env']]) {
      expect(await run([...IDENTITY, ...flags, '-'], injected)).toMatchObject({ out: injected })
    }
  })

  test('leaves the Services of Knative to the webhook', async () => {
    const source = stringify({
      ...podOf('x', 'Service', 'serving.knative.dev/v1'),
      spec: { template: { spec: { containers: [{ image: 'app:1' }] } } },
    })
    const message = 'Knative allows no sidecar that starts first. Fix: set the annotation'
    const { code, out, err } = await run([...IDENTITY, '-'], source)
    expect({ code, out }).toEqual({ code: 0, out: source })
    expect(err).toContain(`warning: ${message}`)
    const path = ['--path', 'Service.serving.knative.dev=spec.template']
    expect(await run([...IDENTITY, ...path, '-'], source)).toEqual({ code, out, err })
  })

  const OUT = 'annotations: {wimds.io/inject: "false"}'

  test.each([
    [
      'on the workload',
      `, ${OUT}`,
      '',
      /^wimds inject: stdin:1: Deployment\/x: warning: .* Fix: move it to spec\.template\.metadata\.annotations\n$/,
    ],
    ['on the pod template', '', `metadata: {${OUT}}, `, /^$/],
  ])('leaves what opted out %s alone', async (_, own, inner, warning) => {
    const source = `apiVersion: apps/v1
kind: Deployment
metadata: {name: x${own}}
spec: {template: {${inner}spec: {hostNetwork: true, containers: [{name: a}]}}}
`
    const { code, out, err } = await run([...IDENTITY, '-'], source)
    expect({ code, out }).toEqual({ code: 0, out: source })
    expect(err).toMatch(warning)
  })

  test('warns of an annotation on the workload itself, which has no effect', async () => {
    const source = `apiVersion: batch/v1
kind: CronJob
metadata: {name: x, annotations: {wimds.io/mode: env, team: shop}}
spec: {jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a}]}}}}}
`
    const { code, out, err } = await run([...IDENTITY, '-'], source)
    expect(code).toBe(0)
    expect(parse(out)).toHaveProperty(
      ['spec', 'jobTemplate', 'spec', 'template', 'metadata', 'annotations', 'wimds.io/injected'],
      '{"mode":"loopback"}',
    )
    expect(err).toContain(
      'warning: the annotation wimds.io/mode of the workload itself has no effect. Fix: move it to spec.jobTemplate.spec.template.metadata.annotations',
    )
    expect(err).not.toContain('annotation team')
  })

  test('injects a DeploymentList whose items have no kind, as the API server returns it', async () => {
    const items = ['a', 'b'].map((name) => ({
      metadata: { name },
      spec: { template: { spec: POD_SPEC } },
    }))
    const source = JSON.stringify({ kind: 'DeploymentList', apiVersion: 'apps/v1', items })
    const { code, out, err } = await runVerbosely([...IDENTITY, '-'], source)
    expect(code).toBe(0)
    expect(err).toContain(': Deployment/b: injected')
    expect(out.match(/"wimds\.io\/injected"/g)).toHaveLength(2)
    expect(out.match(/"kind"/g)).toHaveLength(1)
  })

  test.each([
    ['--uid 1000680000', /"runAsUser":1000680000/],
    ['--mode node --gate-image g:9', /"name":"wimds-gate","image":"g:9"/],
    [
      '--mode env --env WIMDS_IDENTITY_HEADER=a=b',
      /"containers":.*\{"name":"IDENTITY_HEADER","value":"a=b"\}/,
    ],
  ])('follows %s', async (flags, expected) => {
    const source = JSON.stringify({ ...podOf('x'), spec: POD_SPEC })
    const { code, out } = await run([...IDENTITY, ...flags.split(' '), '-'], source)
    expect(code).toBe(0)
    expect(out).toMatch(expected)
  })

  test('takes a variable of --env whose name every object has', async () => {
    const { out } = await run([...IDENTITY, '--env', 'constructor=1', '-'], POD)
    expect(out).toContain('name: constructor')
  })

  test('warns of a variable of --env that is misspelt', async () => {
    const { err } = await run([...IDENTITY, '--env', 'WIMDS_LOG_LEVLE=debug', '-'], POD)
    expect(err).toContain(
      'warning: --env: WIMDS_LOG_LEVLE is not a setting of wimds and has no effect. Did you mean WIMDS_LOG_LEVEL?\n',
    )
  })

  test('keeps a byte order mark, from standard input and from a file', async () => {
    const source = `\uFEFF${COMMENTED}`
    const marked = file('marked.yaml', source)
    const [input, read] = await Promise.all([run(['-'], source), run([marked])])
    expect(input.out).toMatch(/^\uFEFF# Orders, owned/)
    expect(read).toEqual(input)
    const joined = await run([marked, marked])
    expect(joined.out).toBe(`${input.out}---\n${input.out.slice(1)}`)
  })

  test('prints a unified diff of what changes, and nothing of what does not', async () => {
    const changed = file('changed.yaml', COMMENTED)
    const same = file('same.yaml', SERVICE_ACCOUNT)
    const { code, out } = await run(['-o', 'diff', '--mode', 'env', same, changed])
    expect(code).toBe(0)
    expect(out).toContain(`--- ${changed}\n+++ ${changed}\n@@ `)
    expect(out).not.toContain(`--- ${same}`)
    const removed = out.split('\n').filter((line) => /^-(?!--)/.test(line))
    expect(removed).toEqual([`-          value: '.svc' # the cluster's own`])
    expect(readFileSync(changed, 'utf8')).toBe(COMMENTED)
  })

  describe('input in which nothing is injected', () => {
    const unknown = stringify({
      ...podOf('x', 'Deploymnet', 'apps/v1'),
      spec: { template: { spec: POD_SPEC } },
    })
    const unversioned = file('unversioned.yaml', stringify({ kind: 'Pod', spec: POD_SPEC }))

    const NOTHING = 'nothing is injected'
    const UNSUPPORTED = 'an object of an unsupported kind is not injected'

    test.each([
      ['an empty file', ['-'], '', NOTHING],
      ['an object without an apiVersion', [unversioned], '', NOTHING],
      ['a workload that opted out', ['-'], optOut(POD), NOTHING],
      ['an unknown kind with a Pod', ['-'], `${POD}---\n${unknown}`, UNSUPPORTED],
    ])('%s: 0, and 1 with --strict', async (_, names, input, message) => {
      const lax = await run([...IDENTITY, ...names], input)
      expect(lax.code).toBe(0)
      const { code, out, err } = await run([...IDENTITY, '--strict', ...names], input)
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toContain(`wimds inject: --strict: ${message}`)
    })
  })
})

const ROLLOUT = `apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: canary}
spec:
  template:
    spec:
      containers: [{name: app, image: o}]
`

const RAY = `apiVersion: ray.io/v1
kind: RayCluster
metadata: {name: ray}
spec:
  headGroupSpec:
    template: {spec: {containers: [{name: head, image: r}]}}
  workerGroupSpecs:
  - template: {spec: {containers: [{name: small, image: r}]}}
  - template: {spec: {containers: [{name: large, image: r}]}}
`

describe('wimds inject says what it did to', () => {
  test('each object, in the order of the input', async () => {
    const source = `${COMMENTED}---
apiVersion: v1
kind: Pod
metadata: {name: not-me, annotations: {wimds.io/inject: "false"}}
spec: {containers: [{name: a}]}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: s}
- apiVersion: batch/v1
  kind: Job
  metadata: {generateName: job-}
  spec: {template: {metadata: {annotations: {wimds.io/inject: "false"}}, spec: {containers: [{name: a}]}}}
---
replicaCount: 1
`
    const path = file('several.yaml', source)
    const { code, err } = await runVerbosely([path])
    const lines = err.replaceAll(`wimds inject: ${path}:`, '').split('\n')
    expect({ code, lines }).toEqual({
      code: 0,
      lines: [
        '2: ServiceAccount/orders: skipped: kind ServiceAccount',
        '11: Deployment/orders: injected',
        '34: ConfigMap/untouched: skipped: kind ConfigMap',
        '38: Pod/not-me: skipped: opted out',
        '46: Secret/s: skipped: kind Secret',
        '49: Job/job-: skipped: opted out',
        '',
      ],
    })
  })

  test('a workload that has the sidecar already', async () => {
    const { out } = await run(['-'], COMMENTED)
    const again = await runVerbosely(['-'], out)
    expect(again.out).toBe(out)
    expect(again.err).toContain('stdin:11: Deployment/orders: unchanged\n')
  })

  test('a kind that it does not know, with the flag that makes it known', async () => {
    const { code, out, err } = await run([...IDENTITY, '-'], RAY)
    expect({ code, out }).toEqual({ code: 0, out: RAY })
    const [, flags = ''] =
      /stdin:1: RayCluster\/ray: warning: unsupported kind RayCluster\. Fix: (.*)\n/.exec(err) ?? []
    expect(flags).toBe(
      '--path RayCluster.ray.io=spec.headGroupSpec.template --path RayCluster.ray.io=spec.workerGroupSpecs.*.template',
    )
    const injected = await run([...IDENTITY, ...flags.split(' '), '-'], RAY)
    expect(injected).toMatchObject({ code: 0, err: '' })
    const template = { spec: { initContainers: [{ name: 'wimds' }, {}] } }
    expect(parse(injected.out)).toMatchObject({
      spec: { headGroupSpec: { template }, workerGroupSpecs: [{ template }, { template }] },
    })
  })

  test('a kind whose --path leads to no pod template', async () => {
    const flags = ['--strict', '--path', 'RayCluster.ray.io=spec.headGroup.template']
    const { code, err } = await run([...IDENTITY, ...flags, '-'], RAY)
    expect(code).not.toBe(0)
    expect(err).toContain(
      'RayCluster/ray: warning: no pod template at the given path. Fix: --path RayCluster.ray.io=spec.headGroupSpec.template',
    )
  })

  test('a Rollout of Argo, which may leave its pods to a Deployment', async () => {
    const { out, err } = await runVerbosely([...IDENTITY, '-'], ROLLOUT)
    expect(err).toContain('Rollout/canary: injected\n')
    expect(out).toContain('- name: wimds\n')
    const referring = ROLLOUT.replace(
      /  template:[^]*/,
      '  workloadRef: {kind: Deployment, name: orders}\n',
    )
    expect((await runVerbosely(['-'], referring)).err).toContain(
      'Rollout/canary: skipped: no pod template\n',
    )
  })

  test('pods of mode node, which wait for the node agent: once, and not with --quiet', async () => {
    const metadata = { name: 'x', annotations: { 'wimds.io/mode': 'node' } }
    const source = stringify({ ...podOf('x'), metadata, spec: POD_SPEC })
    const { code, err } = await runVerbosely([...IDENTITY, '-'], source)
    expect(code).toBe(0)
    expect(err.split('wimds inject: note: the pods of mode node wait in Init')).toHaveLength(2)
    expect((await run([...IDENTITY, '-'], source)).err).toBe('')
  })

  test('each object, as a document for programs', async () => {
    const { code, out } = await runVerbosely(['-o', 'json', '-'], `${COMMENTED}---\n${ROLLOUT}`)
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      schemaVersion: 1,
      ok: false,
      objects: [
        { file: 'stdin', line: 2, kind: 'ServiceAccount', outcome: 'skipped' },
        { apiVersion: 'apps/v1', name: 'orders', isWorkload: true, outcome: 'injected' },
        { kind: 'ConfigMap', isWorkload: false, reasons: ['kind ConfigMap'] },
        { outcome: 'rejected', reasons: [expect.stringContaining('no tenant id')] },
      ],
      problems: [expect.stringContaining('stdin:38: Rollout/canary: no tenant id')],
    })
  })

  test('the files that a pattern matches', async () => {
    const path = file('apps/orders/pod.yaml', ROLLOUT)
    file('apps/orders/notes.txt', 'none')
    const { err } = await runVerbosely([...IDENTITY, join(directory, 'apps/**/*.yaml')])
    expect(err).toBe(`wimds inject: ${path}:1: Rollout/canary: injected\n`)
    const nothing = await run([join(directory, 'apps/*.json')])
    expect(nothing).toMatchObject({ code: 1, out: '' })
    expect(nothing.err).toContain('apps/*.json: no file matches this pattern. Fix: ')
  })
})

describe('wimds inject says what the input lacks', () => {
  test.each([
    ['an empty input', '\n', /^wimds inject: warning: the input is empty\. Fix: .*\n$/],
    ['one without workloads', SERVICE_ACCOUNT, /warning: there is no workload .*\. Fix: pass/],
  ])('%s', async (_, source, message) => {
    const { code, err } = await run(['-'], source)
    expect(code).toBe(0)
    expect(err).toMatch(message)
  })
})

describe('wimds inject, of a version that is not released,', () => {
  const pods = `${POD}---\n${POD}`
  test.each([
    ['a registry', [], /wimds:[\d.]+, \S+wimds-redirect:[\d.]+ would/],
    ['the image that no flag names', IMAGES.slice(0, 1), /, and \S+wimds-redirect:[\d.]+ would/],
  ])('prints nothing without %s', async (_, flags, expected) => {
    const { code, out, err } = await runAsGiven(['--quiet', ...IDENTITY, ...flags, '-'], pods)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/^wimds inject: --image-registry is missing: .*\. Fix: .*\n$/)
    expect(err).toMatch(expected)
  })

  test('takes the images of the registry that it is given', async () => {
    const flags = ['--quiet', ...IDENTITY, '--image-registry=r.example:5000/a']
    const { err, out } = await runAsGiven([...flags, '-'], pods)
    expect(err).toBe('')
    expect(out).toContain(`image: r.example:5000/a/wimds:${VERSION}\n`)
    expect(out).toContain(`image: r.example:5000/a/wimds-redirect:${VERSION}\n`)
  })

  test('asks for none where nothing is injected', async () => {
    const { code, out } = await runAsGiven(['--quiet', '-'], SERVICE_ACCOUNT)
    expect({ code, out }).toEqual({ code: 0, out: SERVICE_ACCOUNT })
  })
})

test('wimds inject keeps the ResourceList of a pipeline of functions', async () => {
  const items = [
    parse(SERVICE_ACCOUNT),
    { ...podOf('x'), spec: { ...POD_SPEC, serviceAccountName: 'orders' } },
  ]
  const list = {
    apiVersion: 'config.kubernetes.io/v1',
    kind: 'ResourceList',
    functionConfig: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'config' } },
    items,
  }
  const { code, out, err } = await run(['--namespace', 'shop', '-'], stringify(list))
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(parse(out)).toMatchObject({
    ...list,
    items: [items[0], { spec: { initContainers: [{ name: 'wimds' }, {}] } }],
  })
})

describe('wimds inject reports, with nothing on standard output,', () => {
  test('every workload that cannot be injected, with its file, line, kind and name', async () => {
    const source = `apiVersion: v1
kind: Pod
metadata: {name: host}
spec: {hostNetwork: true, containers: [{name: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: fine}
spec: {containers: [{name: a}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: windows}
spec: {template: {spec: {os: {name: windows}, containers: [{name: a}]}}}
---
a: b: c
---
a: *nothing
`
    const path = file('bad.yaml', source)
    const { code, out, err } = await run([...IDENTITY, path, join(directory, 'missing.yaml')])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain(`${path}:1: Pod/host: the pod uses hostNetwork`)
    expect(err).toContain(`${path}:11: Deployment/windows: the pod runs on Windows`)
    expect(err).toContain(
      `${path}:16:4: Nested mappings are not allowed in compact mappings. Fix: put the value in quotes`,
    )
    expect(err).toMatch(/bad\.yaml:18:1: Unresolved alias .*: nothing\. Fix: write out the value/)
    expect(err).toContain('missing.yaml: no such file or directory. Fix: check the path')
    expect(err).not.toContain('Pod/fine')
  })

  test('a change of the value of a merge key', async () => {
    const spec = 'x: &x {env: [{name: NO_PROXY, value: a}]}, containers: [{name: a, <<: *x}]'
    const source = `{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {${spec}}}`
    const { code, out, err } = await run([...IDENTITY, '--mode', 'env', '-'], source)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(
      /^wimds inject: stdin:1: Pod\/x: it cannot be edited safely: spec\.containers\.0\.env comes from a merge key.* in line 1\. Fix: write .+ yq 'explode\(\.\)'/,
    )
  })

  test('an anchor that is used elsewhere, by its own line', async () => {
    const source = `# of the file
apiVersion: v1
kind: Pod
metadata: {name: x}
spec:
  containers:
    - name: a
      env: &env []
    - name: b
      env: *env
`
    const { code, err } = await run([...IDENTITY, '--mode', 'env', '-'], source)
    expect(code).toBe(1)
    expect(err).toContain(
      'stdin:2: Pod/x: it cannot be edited safely: spec.containers.0.env has the anchor &env, used elsewhere too, in line 8. Fix: write the value out',
    )
  })

  test.each([
    ['UTF-16', Buffer.from(`\uFEFF${COMMENTED}`, 'utf16le')],
    ['UTF-16 of the other byte order', utf16be(`\uFEFF${COMMENTED}`)],
    ['UTF-16 without a mark', Buffer.from(COMMENTED, 'utf16le')],
    ['Latin-1', Buffer.from(`a: 1\n# café\n${COMMENTED}`, 'latin1')],
  ])('a file that is not UTF-8: %s', async (_, source) => {
    const path = file('encoded.yaml', source)
    for (const [name, { code, out, err }] of [
      ['stdin', await run([...IDENTITY, '-'], source)],
      [path, await run([...IDENTITY, path])],
    ] as const) {
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toContain(`${name}: it is not UTF-8`)
      expect(err).toContain('save it as UTF-8')
      expect(err).not.toContain('no workload')
    }
  })

  test('an unrendered template that is YAML: its braces are a mapping', async () => {
    const source = `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: {{ .Values.replicas }}\n  template: {spec: {containers: [{name: a}]}}\n`
    const { code, out, err } = await run([...IDENTITY, '-'], source)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toBe(
      'wimds inject: stdin:5: an unrendered template: {{ .Values.replicas }}. Fix: render it first, such as by helm template RELEASE CHART, and pass the output\n',
    )
  })

  test('an unrendered template', async () => {
    const source = 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n'
    const { code, err } = await run([...IDENTITY, '-'], source)
    expect(code).toBe(1)
    expect(err).toContain('stdin:4: an unrendered template: {{ .Release.Name }}. Fix: ')
    expect(err).not.toContain('metadata.name')
  })

  const CA_TWICE = '--env WIMDS_CA_FILE and the CA of a ConfigMap or Secret are both given'

  test.each([
    [[], 'name a manifest'],
    [['--mode=x', '-'], '--mode x: must be one of env, loopback, nft'],
    [['--path=spec.template', '-'], '--path must be KIND=PATH'],
    [['--image=', '-'], '--image must be the name of an image'],
    [['--client-id=orders', '-'], '--client-id must be a GUID'],
    [['--tenant-id=common', '-'], '--tenant-id must name one'],
    [['--ca-secret=My CA', '-'], 'NAME or NAME/KEY of a Secret, not "My CA"'],
    [['--ca-config-map=a', '--ca-secret=b', '-'], '--ca-config-map or --ca-secret, not both'],
    [['--ca-config-map=a', '--env=WIMDS_CA_FILE=/x', '-'], CA_TWICE],
    ...[...SET_BY_INJECTION].map(([name, fix]): [string[], string] => [
      [`--env=${name}=secret`, '-'],
      `wimds inject: --env must not have ${name}, which injection sets. Fix: use ${fix}\n`,
    ]),
    [['--env=TOKEN', '-'], '--env must be NAME=VALUE'],
    [['--uid=0', '-'], '--uid must be a whole number from 1 to 2147483647, not "0"'],
    [['--uid=0', '--mode=x', '-'], '--mode x'],
  ])('bad usage: %j', async (args, message) => {
    const { code, out, err } = await run(args)
    expect({ code, out }).toEqual({ code: 64, out: '' })
    expect(err).toContain(message)
  })
})

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}

test('takes the namespace as kubectl does', async () => {
  const account = SERVICE_ACCOUNT
  const pod = `---
apiVersion: v1
kind: Pod
metadata: {name: orders}
spec: {serviceAccountName: orders, containers: [{name: app}]}
`
  const path = file('one.yaml', account)
  const { code, out, err } = await run([path, '-', '-n', 'shop'], pod)
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain(`"value":"${CLIENT}"`)
})

test('reads the manifests of a directory and below it', async () => {
  file('tree/base/account.yml', SERVICE_ACCOUNT)
  file('tree/notes.txt', 'kind: [')
  file(
    'tree/pod.yaml',
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\nspec: {serviceAccountName: orders, containers: [{name: a}]}\n',
  )
  const { code, out } = await run([join(directory, 'tree')])
  expect(code).toBe(0)
  const [account, pod] = parseAllDocuments(out).map((each) => each.toJS())
  expect(account.kind).toBe('ServiceAccount')
  expect(pod.spec.initContainers[0].env).toContainEqual({ name: 'AZURE_CLIENT_ID', value: CLIENT })
})

test('reads files and directories behind symbolic links, each as a place of its own', async () => {
  const account = file('linked/shared/account.yaml', SERVICE_ACCOUNT)
  const pod =
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\nspec: {serviceAccountName: orders, containers: [{name: a}]}\n'
  file('linked/apps/pod.yaml', pod)
  mkdirSync(join(directory, 'linked/tree/below'), { recursive: true })
  symlinkSync(account, join(directory, 'linked/tree/account.yaml'))
  symlinkSync('../../apps', join(directory, 'linked/tree/below/apps'))
  // A link to a folder above would never end.
  symlinkSync('..', join(directory, 'linked/tree/below/again'))
  const tree = join(directory, 'linked/tree')
  const { code, err } = await runVerbosely([tree])
  expect(code).toBe(0)
  expect(err.match(/(?<=linked\/).*(?=\n)/g)).toEqual([
    'tree/account.yaml:1: ServiceAccount/orders: skipped: kind ServiceAccount',
    'tree/below/apps/pod.yaml:1: Pod/a: injected',
  ])
  const pattern = await run([join(tree, '*.yaml'), join(tree, 'below/apps')])
  expect(pattern).toMatchObject({ code: 0, err: '' })
  symlinkSync('nowhere', join(tree, 'broken.yaml'))
  const broken = await run([tree])
  expect(broken).toMatchObject({ code: 1, out: '' })
  expect(broken.err).toContain('broken.yaml: no such file or directory')
})
