import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { inject } from '../../src/tools/inject/inject.ts'
import { uninject } from '../../src/tools/inject/uninject.ts'
import { IS_RELEASED } from '../../src/lib/version.ts'
import { runCommand } from './capture.ts'
import { createFolder } from '../fixtures/folder.ts'

const CLIENT = '11111111-1111-4111-8111-111111111111'
const TENANT = '22222222-2222-4222-8222-222222222222'
const IDENTITY = ['--client-id', CLIENT, '--tenant-id', TENANT]

const folder = createFolder()
const { path: directory, write: file } = folder
afterAll(() => folder[Symbol.dispose]())

const runVerbosely = (args: readonly string[], input?: string | Uint8Array) =>
  runCommand(inject, ['--image-registry=a.test', ...args], {}, input)

/** Runs the command without the lines on what was done to each object. */
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
    spec:
      serviceAccountName: orders
      containers:
      - name: app
        image: orders:1
        env:
        - name: NO_PROXY
          value: '.svc' # the cluster's own
---
apiVersion: v1
kind: ConfigMap
metadata:   {name: untouched}
`

const podOf = (name: string, kind = 'Pod', apiVersion = 'v1') => ({
  apiVersion,
  kind,
  metadata: { name },
})
const POD_SPEC = { containers: [{ name: 'app', image: 'app:1' }] }
const POD = stringify({ ...podOf('x'), spec: POD_SPEC })
/** A pod of the ServiceAccount, in the namespace that is given. */
const POD_OF_ORDERS = `---
apiVersion: v1
kind: Pod
metadata: {name: orders}
spec: {serviceAccountName: orders, containers: [{name: app}]}
`

test('a name in a manifest cannot add a line to standard error, or control the terminal', async () => {
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

test('wimds inject injects each kind with a pod template, in the ResourceList of a pipeline of functions', async () => {
  const TEMPLATE = ['spec', 'template']
  const kinds: readonly [string, string, readonly string[]][] = [
    ['Pod', 'v1', []],
    ['ReplicationController', 'v1', TEMPLATE],
    ['Deployment', 'apps/v1', TEMPLATE],
    ['StatefulSet', 'apps/v1', TEMPLATE],
    ['DaemonSet', 'apps/v1', TEMPLATE],
    ['ReplicaSet', 'apps/v1', TEMPLATE],
    ['Job', 'batch/v1', TEMPLATE],
    ['CronJob', 'batch/v1', ['spec', 'jobTemplate', ...TEMPLATE]],
    ['Rollout', 'argoproj.io/v1alpha1', TEMPLATE],
  ]
  const items = kinds.map(([kind, apiVersion, path]) => {
    const nested = path.reduceRight<object>((inner, key) => ({ [key]: inner }), { spec: POD_SPEC })
    return { ...podOf('x', kind, apiVersion), ...nested }
  })
  const config = podOf('c', 'ConfigMap')
  const apiVersion = 'config.kubernetes.io/v1'
  const list = {
    apiVersion,
    kind: 'ResourceList',
    functionConfig: config,
    items: [config, ...items],
  }
  const { out, err } = await run([...IDENTITY, '-'], JSON.stringify(list))
  expect(err).toBe('')
  expect(parse(out)).toMatchObject({ ...list, items: [config, ...kinds.map(() => ({}))] })
  for (const [index, [, , path]] of kinds.entries()) {
    expect(parse(out)).toHaveProperty(
      ['items', index + 1, ...path, 'spec', 'initContainers'],
      [
        expect.objectContaining({ name: 'wimds' }),
        expect.objectContaining({ name: 'wimds-redirect' }),
      ],
    )
  }
})

describe('wimds inject', () => {
  test.each([
    ['apps/v1', 'Deployment', '{template: x}', 'spec.template must be an object.', 'metadata'],
    ['batch/v1', 'CronJob', '{}', 'spec.jobTemplate.spec.template is missing.', 'kustomize'],
  ])('rejects a pod template: %s %s %s', async (version, kind, spec, problem, fix) => {
    const object = `apiVersion: ${version}\nkind: ${kind}\nmetadata: {name: x}\nspec: ${spec}\n`
    const { code, err } = await run([...IDENTITY, '-'], object)
    expect(code).toBe(1)
    expect(err).toContain(`wimds inject: stdin:1: ${kind}/x: ${problem} Fix: `)
    expect(err).toContain(fix)
  })

  test('takes the namespace as kubectl does, and the identity of its ServiceAccount', async () => {
    const account = file('account.yaml', SERVICE_ACCOUNT)
    const { code, out, err } = await run([account, '-', '-n', 'shop'], POD_OF_ORDERS)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain(`"value":"${CLIENT}"`)
    const missed = await run([account, '-'], POD_OF_ORDERS)
    expect(missed).toMatchObject({ code: 1, out: '' })
    expect(missed.err).toContain('stdin:2: Pod/orders: no tenant id')
  })

  test('with --keep-rejected prints what it rejects unchanged, with a warning', async () => {
    const rejected = stringify({ ...podOf('x'), spec: { ...POD_SPEC, hostNetwork: true } })
    const source = `${rejected}---\n${stringify({ ...podOf('y'), spec: POD_SPEC })}`
    expect(await run([...IDENTITY, '-'], source)).toMatchObject({ code: 1, out: '' })
    const { code, out, err } = await run([...IDENTITY, '--keep-rejected', '-'], source)
    expect(code).toBe(0)
    expect(out.startsWith(`${rejected}---\n`)).toBe(true)
    expect(out).toContain('name: wimds')
    expect(err).toMatch(/^wimds inject: stdin:1: Pod\/x: warning: the pod uses hostNetwork.*\n$/)
    const broken = await run([...IDENTITY, '--keep-rejected', '-'], `a: [\n---\n${source}`)
    expect(broken).toMatchObject({ code: 1, out: '' })
  })

  test('rejects a --mode that differs from an earlier injection, and changes nothing if it is the same', async () => {
    const { out: injected } = await run([...IDENTITY, '--mode', 'env', '-'], POD)
    const { code, out, err } = await run([...IDENTITY, '--mode', 'nft', '-'], injected)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain('was injected in mode env')
    for (const flags of [[], ['--mode', 'env']]) {
      const again = await runVerbosely([...IDENTITY, ...flags, '-'], injected)
      expect(again).toMatchObject({ code: 0, out: injected })
      expect(again.err).toContain('stdin:1: Pod/x: unchanged\n')
    }
  })

  test('mounts a token with the audience of --audience, which another WIMDS_AUDIENCE requires', async () => {
    const env = ['--env', 'WIMDS_AUDIENCE=api://AzureADTokenExchangeUSGov']
    const { code, out, err } = await run([...IDENTITY, ...env, '-'], POD)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain(
      'WIMDS_AUDIENCE is api://AzureADTokenExchangeUSGov, but the projected token has the audience api://AzureADTokenExchange. Fix: ',
    )
    const [fix] = /--audience [^\s,]+/.exec(err) ?? ['']
    const fixed = await run([...IDENTITY, ...env, ...fix.split(' '), '-'], POD)
    expect(fixed).toMatchObject({ code: 0, err: '' })
    expect(fixed.out).toContain('audience: api://AzureADTokenExchangeUSGov\n')
    expect((await runCommand(uninject, ['-q', '-'], {}, fixed.out)).out).toBe(POD)
  })

  test('suggests the annotation that a ServiceAccount or a pod seems to mean', async () => {
    const account = SERVICE_ACCOUNT.replace('/client-id', '/clientid')
    const spelt = file('misspelt.yaml', account)
    const pod = `---
apiVersion: v1
kind: Pod
metadata: {name: x, namespace: shop, annotations: {azure.workload.identity/skip-container: a, azure.workload.identity/use-x: a, azure.workload.identity/new: a}}
spec: {serviceAccountName: orders, containers: [{name: app}]}
`
    const { code, err } = await run([spelt, '-'], pod)
    expect(code).toBe(0)
    expect(err.split('\n')).toEqual([
      `wimds inject: ${spelt}:1: ServiceAccount/orders: warning: the annotation azure.workload.identity/clientid is unknown and has no effect. Did you mean azure.workload.identity/client-id? Fix: correct its name, or remove it`,
      'wimds inject: stdin:2: Pod/x: warning: the annotation azure.workload.identity/skip-container is unknown and has no effect. Did you mean azure.workload.identity/skip-containers? Fix: correct its name, or remove it',
      expect.stringMatching(/Pod\/x: warning: no client id, .*\. Fix: annotate the ServiceAccount/),
      '',
    ])
  })

  test('leaves the Services of Knative to the webhook', async () => {
    const source = stringify({
      ...podOf('x', 'Service', 'serving.knative.dev/v1'),
      spec: { template: { spec: { containers: [{ image: 'app:1' }] } } },
    })
    for (const flags of [[], ['--path', 'Service.serving.knative.dev=spec.template']]) {
      const { code, out, err } = await run([...IDENTITY, ...flags, '-'], source)
      expect({ code, out }).toEqual({ code: 0, out: source })
      expect(err).toContain(
        'Service/x: warning: Knative allows no sidecar that starts first. Fix: ',
      )
    }
  })

  const OUT = 'annotations: {wimds.io/inject: "false"}'
  const MOVE = ' Fix: move it to spec.template.metadata.annotations\n'

  test.each([
    ['opt-out on the workload', OUT, '', MOVE, false],
    ['opt-out on the pod template', '', `metadata: {${OUT}}, `, '', false],
    ['settings on the workload', 'annotations: {wimds.io/mode: env, team: shop}', '', MOVE, true],
  ])(
    'honors an opt-out, and warns of annotations in the wrong place: %s',
    async (_, own, inner, warning, isInjected) => {
      const source = `apiVersion: apps/v1
kind: Deployment
metadata: {name: x, ${own}}
spec: {template: {${inner}spec: {containers: [{name: a}]}}}
`
      const { code, out, err } = await run([...IDENTITY, '-'], source)
      expect({ code, isInjected: out !== source }).toEqual({ code: 0, isInjected })
      expect(err.slice(-MOVE.length)).toBe(warning)
      expect(err).not.toContain('team')
    },
  )

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
    [
      '--mode env --env WIMDS_IDENTITY_HEADER=a=b',
      /"containers":.*\{"name":"IDENTITY_HEADER","value":"a=b"\}/,
    ],
    // Every object has a member of this name.
    ['--env constructor=1', /"name":"constructor","value":"1"/],
  ])('passes on %s', async (flags, expected) => {
    const source = JSON.stringify({ ...podOf('x'), spec: POD_SPEC })
    const { code, out } = await run([...IDENTITY, ...flags.split(' '), '-'], source)
    expect(code).toBe(0)
    expect(out).toMatch(expected)
  })

  test('warns of a variable of --env that is misspelt', async () => {
    const { err } = await run([...IDENTITY, '--env', 'WIMDS_LOG_LEVLE=debug', '-'], POD)
    expect(err).toMatch(/^wimds inject: warning: --env: WIMDS_LOG_LEVLE .* WIMDS_LOG_LEVEL\?\n$/)
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

  test('prints a unified diff of changed files, and nothing for unchanged ones', async () => {
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
})

const EMPTY = /^wimds inject: warning: the input is empty\. Fix: .*\n$/
const NO_WORKLOAD = /^wimds inject: warning: there is no workload in the input\. Fix: .*\n$/
const UNKNOWN = stringify({
  ...podOf('x', 'Deploymnet', 'apps/v1'),
  spec: { template: { spec: POD_SPEC } },
})

test.each([
  ['an empty input', '\n', EMPTY, 'nothing is injected'],
  ['one without workloads', SERVICE_ACCOUNT, NO_WORKLOAD, 'nothing is injected'],
  [
    'a workload that opted out',
    POD.replace('name: x', 'name: x\n  annotations: {wimds.io/inject: "false"}'),
    /^$/,
    'nothing is injected',
  ],
  ['an unknown kind with a Pod', `${POD}---\n${UNKNOWN}`, /: unsupported kind/, 'unsupported kind'],
])(
  'wimds inject exits with 0 for %s, and with 1 if --strict is given',
  async (_, input, warning, problem) => {
    const lax = await run([...IDENTITY, '-'], input)
    expect(lax.code).toBe(0)
    expect(lax.err).toMatch(warning)
    const { code, out, err } = await run([...IDENTITY, '--strict', '-'], input)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(new RegExp(`wimds inject: --strict: .*${problem}`))
  },
)

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
- apiVersion: argoproj.io/v1alpha1
  kind: Rollout
  metadata: {name: canary}
  spec: {workloadRef: {kind: Deployment, name: orders}}
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
        '25: ConfigMap/untouched: skipped: kind ConfigMap',
        '29: Pod/not-me: skipped: opted out',
        '37: Rollout/canary: skipped: no pod template',
        '41: Job/job-: skipped: opted out',
        '',
      ],
    })
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
    const wrong = ['--strict', '--path', 'RayCluster.ray.io=spec.headGroup.template']
    const missed = await run([...IDENTITY, ...wrong, '-'], RAY)
    expect(missed.code).toBe(1)
    expect(missed.err).toContain(
      'RayCluster/ray: warning: no pod template at the given path. Fix: ',
    )
  })

  test('pods of mode node, which wait for the node agent: once, and not with --quiet', async () => {
    const args = [...IDENTITY, '--mode', 'node', '-']
    const { code, err } = await runVerbosely(args, `${POD}---\n${POD}`)
    expect(code).toBe(0)
    expect(err.split('wimds inject: note: the pods of mode node wait in Init')).toHaveLength(2)
    expect((await run(args, POD)).err).toBe('')
  })
})

describe.skipIf(IS_RELEASED)('wimds inject, of a version that is not released,', () => {
  test.each([
    ['a registry', [], / \S+\/wimds:[\d.]+, \S+wimds-redirect:.*, \S+wimds-gate:/],
    ['the image that no flag names', ['--image=a:1', '--redirect-image=b:1'], / \S+wimds-gate:/],
  ])('injects nothing, and does not say so, without %s', async (_, flags, images) => {
    const { code, out, err } = await runCommand(inject, [...IDENTITY, ...flags, '-'], {}, POD)
    expect({ code, out }).toEqual({ code: 64, out: '' })
    expect(err).toMatch(/^wimds inject: --image-registry is missing: .*\. Fix: .*\n/)
    expect(err).toMatch(images)
    expect(err).not.toContain('injected')
  })

  test.each([
    ['--mode iptables', ['--mode=iptables', '-'], 'one of env, loopback, nft, node'],
    ['a file that it cannot read', ['missing.yaml'], 'missing.yaml: no such file'],
    ['a missing tenant id', ['-'], 'Pod/x: no tenant id'],
    ['an unsupported kind with --strict', [...IDENTITY, '--strict', '-'], 'wimds inject: --strict'],
  ])('reports the missing registry together with %s', async (_, args, problem) => {
    const found = await runCommand(inject, args, {}, `${POD}---\n${UNKNOWN}`)
    expect(found).toMatchObject({ code: 64, out: '' })
    expect(found.err).toContain(problem)
    expect(found.err).toMatch(/^wimds inject: --image-registry is missing: /m)
  })

  test('needs no registry if it injects nothing', async () => {
    const source = `${SERVICE_ACCOUNT}---\n${UNKNOWN}`
    const found = await runCommand(inject, ['-'], {}, source)
    expect(found).toMatchObject({ code: 0, out: source })
  })
})

describe('wimds inject reports, with nothing on standard output,', () => {
  test('every workload that cannot be injected, with its file, line, kind and name', async () => {
    const source = `apiVersion: v1
kind: Pod
metadata: {name: host}
spec: {hostNetwork: true, containers: [{name: a}]}
---
${POD}---
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
    for (const [place, fix] of [
      [`${path}:1: Pod/host: the pod uses hostNetwork`, ''],
      [`${path}:15: Deployment/windows: the pod runs on Windows`, ''],
      [`${path}:20:4: Nested mappings`, 'put the value in quotes'],
      [`${path}:22:1: Unresolved alias`, 'write out the value'],
      [`${join(directory, 'missing.yaml')}: no such file or directory`, 'check the path'],
    ] as const) {
      const line = err.split('\n').find((each) => each.includes(place))
      expect(line).toContain(`Fix: ${fix}`)
    }
    expect(err).not.toContain('Pod/x')
  })

  test.each([
    [
      'a change of the value of a merge key',
      '[{name: a, <<: {env: [{name: NO_PROXY, value: a}]}}]',
      /^wimds inject: stdin:1: Pod\/x: .*: spec\.containers\.0\.env comes from a merge key.* in line 5\. Fix: write /,
    ],
    [
      'an anchor that is used elsewhere, by its own line',
      '[{name: b},\n   {name: a, env: &env []}, {name: c, env: *env}]',
      /^wimds inject: stdin:1: Pod\/x: .*: spec\.containers\.1\.env has the anchor &env, .* in line 6\. Fix: write /,
    ],
  ])('%s', async (_, containers, message) => {
    const source = `apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers: ${containers}\n`
    const { code, out, err } = await run([...IDENTITY, '--mode', 'env', '-'], source)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(message)
  })

  test.each([
    ['UTF-16 without a mark', Buffer.from(COMMENTED, 'utf16le')],
    ['Latin-1', Buffer.from(`a: 1\n# café\n${COMMENTED}`, 'latin1')],
  ])('a file that is not UTF-8: %s', async (_, source) => {
    const { code, out, err } = await run([...IDENTITY, '-'], source)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/^wimds inject: stdin: it is not UTF-8.*\n$/)
  })

  test.each([
    ['', 'kind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n', 'stdin:4: an unrendered template'],
    [
      ' that is YAML: its braces are a mapping',
      'kind: Pod\nspec: {replicas: {{ .Values.n }}, containers: []}\n',
      'stdin:3: an unrendered template: {{ .Values.n }}',
    ],
  ])('an unrendered template%s', async (_, source, message) => {
    const { code, out, err } = await run([...IDENTITY, '-'], `apiVersion: v1\n${source}`)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain(`wimds inject: ${message}`)
    expect(err.match(/^wimds inject: /gm)).toHaveLength(1)
  })

  test('every problem of its flags', async () => {
    const { code, out, err } = await run([
      '--path=spec.template',
      '--client-id=orders',
      '--ca-secret=My CA',
      '--ca-config-map=a',
      '--env=WIMDS_CA_FILE=/x',
      '--env=WIMDS_LISTEN=secret',
      '--env=TOKEN',
    ])
    expect({ code, out }).toEqual({ code: 64, out: '' })
    const problems = [
      'give the path of a manifest',
      '--path must be KIND=PATH',
      '--client-id must be a GUID',
      'NAME or NAME/KEY of a Secret, not "My CA"',
      '--ca-config-map or --ca-secret, not both',
      '--env WIMDS_CA_FILE and the CA of a ConfigMap or Secret are both given',
      '--env must not have WIMDS_LISTEN, ',
      '--env must be NAME=VALUE',
    ]
    expect(problems.filter((each) => !err.includes(each))).toEqual([])
  })
})

test('reads a directory and below it, also behind symbolic links', async () => {
  const account = file('linked/shared/account.yaml', SERVICE_ACCOUNT)
  file('linked/apps/pod.yml', POD_OF_ORDERS)
  file('linked/apps/notes.txt', 'kind: [')
  const tree = join(directory, 'linked/tree')
  mkdirSync(join(tree, 'below'), { recursive: true })
  symlinkSync(account, join(tree, 'account.yaml'))
  symlinkSync('../../apps', join(tree, 'below/apps'))
  // A link to a folder above would never end.
  symlinkSync('..', join(tree, 'below/again'))
  const { code, err } = await runVerbosely(['-n', 'shop', tree])
  expect(code).toBe(0)
  expect(err.match(/(?<=linked\/).*(?=\n)/g)).toEqual([
    'tree/account.yaml:1: ServiceAccount/orders: skipped: kind ServiceAccount',
    'tree/below/apps/pod.yml:2: Pod/orders: injected',
  ])
  symlinkSync('nowhere', join(tree, 'broken.yaml'))
  const broken = await run([tree])
  expect(broken).toMatchObject({ code: 1, out: '' })
  expect(broken.err).toContain('broken.yaml: no such file or directory')
})
