/** `wimds doctor --pre` before a table of kubectl and an issuer behind a proxy. */
import { readFile } from 'node:fs/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { inject } from '../../../../src/injection/injector/inject.ts'
import { INJECTION_DEFAULTS } from '../../../../src/injection/injector/injection-settings.ts'
import { createCertificateAuthority } from '../../../../src/lib/x509.ts'
import { serve } from '../../../../src/tools/simulator/http/serve.ts'
import { createIssuer } from '../../../../src/tools/simulator/issuer/issuer.ts'
import { connectProxy } from '../../../broker/exchange/connect-proxy.ts'
import { createFolder } from '../../../fixtures/folder.ts'
import { fakeKubectl, type KubectlAnswer } from '../../../fixtures/kubectl.ts'
import { diagnose, runDoctor } from '../run-doctor.ts'

const HOST = 'westeurope.oic.prod-aks.example'
const ISSUER = `https://${HOST}/tenant/cluster/`
const DISCOVERY = '/.well-known/openid-configuration'
const KEYS = '/openid/v1/jwks'

const resources = new AsyncDisposableStack()
afterAll(() => resources.disposeAsync())
const published = await createIssuer(ISSUER)
const authority = await createCertificateAuthority()
const tls = await authority.issue({ names: [HOST] })
const running = resources.use(await serve(published.handler, { tls }))
const routes = { [`${HOST}:443`]: running.port, 'login.microsoftonline.com:443': running.port }
const proxy = resources.use(await connectProxy({ routes }))
const caFile = resources.use(createFolder()).write('ca.crt', authority.caPem)
const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, WIMDS_CA_FILE: caFile }

/** Returns the answer with what the API server says of itself at a path. */
async function documentOf(
  issuer: Awaited<ReturnType<typeof createIssuer>>,
  call: string,
): Promise<KubectlAnswer> {
  const url = new URL(call.slice(1), ISSUER)
  return { call, stdout: await (await issuer.handler(new Request(url))).text() }
}

/** The answers of a cluster for which everything is right. */
async function cluster(): Promise<KubectlAnswer[]> {
  const version = { gitVersion: 'v1.34.4', major: '1', minor: '34' }
  return [
    { call: 'version', stdout: JSON.stringify({ serverVersion: version }) },
    await documentOf(published, DISCOVERY),
    await documentOf(published, KEYS),
    { call: 'create --dry-run=server', stdout: '{}' },
    { call: 'get ciliumlocalredirectpolicies', stdout: '{"items":[]}' },
  ]
}

interface Case {
  /** Before the answers of the cluster. */
  readonly answers?: readonly KubectlAnswer[]
  readonly flags?: readonly string[]
  readonly changes?: Readonly<Record<string, string>>
}

async function check({ answers = [], flags = [], changes = {} }: Case = {}) {
  using fake = fakeKubectl([...answers, ...(await cluster())])
  const args = ['--pre', '--namespace=shop', ...flags]
  const diagnosis = await diagnose(args, { ...env, ...fake.env, ...changes })
  const statuses = diagnosis.report.checks.map(({ check: name, status }) => `${name}: ${status}`)
  return { ...diagnosis, statuses, calls: await fake.calls() }
}

test('passes for a cluster that is ready, and changes nothing in it', async () => {
  const { code, report, statuses, calls } = await check()
  expect(statuses).toEqual([
    'api_server: ok',
    'issuer: ok',
    'signing_keys: ok',
    'injected_pod: ok',
    'webhook_configuration: ok',
    'local_redirect: ok',
  ])
  expect(report).toMatchObject({ ok: true, schemaVersion: 1 })
  expect(code).toBe(0)
  const creations = calls.filter((call) => !/^--namespace=shop (?:get|version) /.test(call))
  expect(new Set(creations)).toEqual(
    new Set(['--namespace=shop create --dry-run=server --output=json --filename=-']),
  )
})

test('prints the report for people', async () => {
  using fake = fakeKubectl(await cluster())
  const args = ['--pre', '--namespace=shop', '--mode=env']
  const { stdout } = await runDoctor(args, { ...env, ...fake.env })
  expect(stdout).toMatch(/^Before an installation of wimds .*\n {2}✓ API server: v1\.34\.4\n/)
  expect(stdout).toContain(`✓ issuer: ${ISSUER}\n`)
  expect(stdout).toContain(`${ISSUER}openid/v1/jwks has 1 RSA key\n`)
  expect(stdout).toContain('✓ injected pod (mode env, namespace shop): is admitted (dry run)\n')
  expect(stdout).toMatch(/✓ All checks passed\.\n$/)
})

test.each([
  ['env', ['wimds']],
  ['loopback', ['wimds', 'wimds-redirect']],
  ['node', ['wimds-gate']],
])('asks for a pod that is injected in mode %s', async (mode, names) => {
  const agent = { call: '"name":"wimds-node-agent"', stdout: '{}' }
  using fake = fakeKubectl([WEBHOOK_OK, agent, ...(await cluster())])
  await runDoctor(['--pre', '--namespace=shop', `--mode=${mode}`], { ...env, ...fake.env })
  const pod = await fake.inputOf('create --dry-run=server')
  expect(JSON.parse(pod)).toMatchObject({
    kind: 'Pod',
    spec: { initContainers: names.map((name) => ({ name })) },
  })
  // Where the webhook is installed, it leaves this pod as it is.
  const settings = { ...INJECTION_DEFAULTS, injectByDefault: true }
  expect(inject({ pod: JSON.parse(pod), serviceAccount: {}, settings }).kind).toBe('skipped')
})

const discovery = (issuer: string): KubectlAnswer => ({
  call: DISCOVERY,
  stdout: JSON.stringify({ issuer, jwks_uri: `${ISSUER}openid/v1/jwks` }),
})

/** An issuer that publishes this document, with a proxy to it. */
async function publishing(changes: object) {
  const document = { issuer: ISSUER, jwks_uri: `${ISSUER}openid/v1/jwks`, ...changes }
  const handler = (request: Request) =>
    request.url.endsWith(DISCOVERY)
      ? Promise.resolve(Response.json(document))
      : published.handler(request)
  const server = await serve(handler, { tls })
  const { port } = await connectProxy({ routes: { [`${HOST}:443`]: server.port } })
  return { HTTPS_PROXY: `http://127.0.0.1:${port}` }
}

const DIRECT = { HTTPS_PROXY: '' }

const other = (issuer: string): Case => ({ answers: [discovery(issuer)] })
const direct = (issuer: string): Case => ({ ...other(issuer), changes: DIRECT })

describe('the issuer', () => {
  test.each<[string, Case, RegExp]>([
    ['unreachable', other('https://kubernetes.default.svc.cluster.local'), /is internal to the/],
    ['unreachable', other('https://shop-1.hcp.westeurope.azmk8s.io'), /is internal to the cluster/],
    ['unreachable', other('http://oidc.example.com'), /is no https:\/\/ URL/],
    ['unreachable', direct('https://10.98.0.1:6443'), /10\.98\.0\.1 of its host is not public/],
    ['unreachable', other('https://10.98.0.1:6443'), /10\.98\.0\.1 of its host is not public/],
    ['unreachable', direct('https://localhost'), /of its host is not public/],
    ['unreachable', other('https://oidc.invalid'), /cannot be used: /],
    ['unreachable', { changes: { WIMDS_CA_FILE: '' } }, /certificate/],
    ['unreachable', other(`https://${HOST}/other`), /it answered 404/],
    ['mismatch', other(ISSUER.replace(/\/$/, '')), /names the issuer/],
    ['mismatch', { flags: ['--issuer=https://a.example/'] }, /the tokens of this cluster have the/],
  ])('fails as %s: %j', async (expected, given, problem) => {
    const { code, failures, problems, fixes } = await check(given)
    expect({ code, failures }).toEqual({ code: 1, failures: [`issuer: issuer_${expected}`] })
    expect(problems[0]?.problem).toMatch(problem)
    expect(fixes).toMatch(/az aks update --resource-group|character by character/)
  })

  test.each([
    [{ authorization_endpoint: '' }, /its authorization_endpoint is empty \(AADSTS50166\)$/],
    [{ subject_types_supported: [] }, /its subject_types_supported is empty \(AADSTS501661\)$/],
  ])('fails for a document with %j, which Entra ID rejects', async (document, problem) => {
    const { failures, problems } = await check({ changes: await publishing(document) })
    expect(failures).toEqual(['issuer: issuer_unreachable'])
    expect(problems[0]?.problem).toMatch(problem)
  })

  test('passes a document without the members that Entra ID does not need', async () => {
    expect((await check({ changes: await publishing({}) })).failures).toEqual([])
  })

  test('fails if the API server signs with a key that is not published', async () => {
    const answers = [await documentOf(await createIssuer(ISSUER), KEYS)]
    const { failures, find } = await check({ answers })
    expect(find('issuer')).toMatchObject([{ status: 'ok' }])
    expect(failures).toEqual(['signing_keys: issuer_unreachable'])
  })

  test('fails if the API server signs with no RSA key', async () => {
    const keys = { keys: [{ kty: 'EC', kid: 'a' }] }
    const { failures } = await check({ answers: [{ call: KEYS, stdout: JSON.stringify(keys) }] })
    expect(failures).toEqual(['signing_keys: issuer_unreachable'])
  })

  const FORBIDDEN = {
    code: 1,
    stderr: 'Error from server (Forbidden): forbidden: User "me" cannot get path',
  }
  const MAY_NOT_READ = [DISCOVERY, KEYS].map((call) => ({ call, ...FORBIDDEN }))
  const NO_KEYS = [{ call: DISCOVERY, stdout: JSON.stringify({ issuer: ISSUER }) }]
  const LACKS =
    /^\/.well-known\/openid-configuration of the API server was not read: it has another form$/

  test.each<[string, readonly KubectlAnswer[], RegExp, string]>([
    [
      'you may not read its documents',
      MAY_NOT_READ,
      /was not read: forbidden: User "me" cannot get path/,
      'not_checked',
    ],
    ['the API server names no jwks_uri', NO_KEYS, LACKS, 'ok'],
    ['the API server sends no object', [{ call: DISCOVERY, stdout: '[]' }], LACKS, 'ok'],
  ])('is only checked with --issuer if %s', async (_, answers, reason, keys) => {
    const without = await check({ answers })
    expect(without.find('issuer')).toMatchObject([
      { status: 'not_checked', reason: expect.stringMatching(reason) },
    ])
    expect(without.code).toBe(2)
    const { statuses } = await check({ answers, flags: [`--issuer=${ISSUER}`] })
    expect(statuses.slice(1, 3)).toEqual(['issuer: ok', `signing_keys: ${keys}`])
  })

  test('is checked without a cluster with --issuer', async () => {
    const changes = { PATH: '/nowhere' }
    const { code, statuses } = await check({ changes, flags: [`--issuer=${ISSUER}`] })
    expect(statuses).toEqual([
      'api_server: not_checked',
      'issuer: ok',
      'signing_keys: not_checked',
      'injected_pod: not_checked',
      'webhook_configuration: not_checked',
      'local_redirect: not_checked',
    ])
    expect(code).toBe(2)
  })
})

test('names kubectl as missing, and everything else as not checked', async () => {
  const { code, failures, report } = await check({ changes: { PATH: '/nowhere' } })
  expect({ code, failures }).toEqual({ code: 1, failures: ['api_server: kubectl_missing'] })
  expect(report.checks.slice(1).every(({ status }) => status === 'not_checked')).toBe(true)
})

const DRY_RUN = 'create --dry-run=server'
const WEBHOOK = '"kind":"MutatingWebhookConfiguration"'
const IS_INJECTED = '"name":"wimds"'

/** Returns the answer of kube-apiserver 1.34 to an object that it refuses. */
const refuse = (call: string, text: string): KubectlAnswer => ({
  call,
  code: 1,
  stderr: `Error from server ${text.replace('CREATING', 'error when creating "STDIN":')}\n`,
})
/** The webhook of the chart can be created. */
const WEBHOOK_OK = { call: WEBHOOK, stdout: '{}' }

test.each<[string, string, readonly string[], string, RegExp, RegExp]>([
  [
    'a policy',
    `The pods "a" is invalid: : ValidatingAdmissionPolicy 'one-registry' with binding 'all' denied request: images must come from contoso.azurecr.io/`,
    ['--mode=env'],
    'pod_not_admitted',
    /^the ValidatingAdmissionPolicy one-registry refuses the pod that injection writes: .*contoso/,
    /^if it is about images, pass those of your registry \(--image, /,
  ],
  [
    'the webhook of a policy engine',
    '(Forbidden): CREATING admission webhook "validate.kyverno.svc-fail" denied the request: [no-net-admin]',
    [],
    'pod_not_admitted',
    /^the admission webhook validate\.kyverno\.svc-fail refuses /,
    /exempt the injected containers/,
  ],
  [
    'Pod Security',
    '(Forbidden): CREATING pods "a" is forbidden: violates PodSecurity "baseline:latest": non-default capabilities',
    ['--mode=nft'],
    'pod_not_admitted',
    /^the Pod Security level baseline:latest refuses /,
    /enforce=privileged, since mode nft needs .* or choose mode env or node/,
  ],
  [
    'a quota that is exceeded',
    '(Forbidden): CREATING pods "a" is forbidden: exceeded quota: team, requested: requests.memory=65Mi, used: requests.memory=0, limited: requests.memory=48Mi',
    [],
    'pod_not_admitted',
    /^the ResourceQuota team refuses /,
    /^raise it by the requests and limits of an injected pod/,
  ],
  [
    'a quota for what the sidecar does not set',
    '(Forbidden): CREATING pods "a" is forbidden: failed quota: team: must specify limits.cpu for: wimds',
    ['--mode=env'],
    'pod_not_admitted',
    /^the ResourceQuota team refuses .* for: wimds$/,
    /wimds\.io\/cpu-limit/,
  ],
  [
    'a webhook of others that is down',
    '(InternalError): Internal error occurred: failed calling webhook "validate.others.example": failed to call webhook: Post "https://gone.gone.svc:443/?timeout=3s": dial tcp 10.0.0.9:443: connect: no route to host',
    ['--mode=env'],
    'webhook_unavailable',
    /^the unreachable admission webhook validate\.others\.example refuses .*no route to host$/,
    /repair its Service, or delete the configuration/,
  ],
])('names %s', async (_, text, flags, code, problem, fix) => {
  const answers = [WEBHOOK_OK, refuse(IS_INJECTED, text)]
  const { failures, problems, fixes, find } = await check({ answers, flags })
  expect(failures).toEqual([`injected_pod: ${code}`])
  expect(problems[0]?.problem).toMatch(problem)
  expect(fixes).toMatch(fix)
  // What was given already is no fix.
  expect(flags.includes('--mode=env') && /mode env/.test(fixes)).toBe(false)
  // The same pod without the injection is admitted.
  expect(find('injected_pod')[0]?.details).toEqual([])
})

test('names what refuses the pod, and no policy that only warns', async () => {
  const warning = `Warning: Validation failed for ValidatingAdmissionPolicy 'warns' with binding 'all': no\n`
  const refused = refuse(
    IS_INJECTED,
    '(Forbidden): CREATING pods "a" is forbidden: exceeded quota: team, x',
  )
  const answers = [
    WEBHOOK_OK,
    { ...refused, stderr: `${warning}${refused.stderr}` },
    { call: DRY_RUN, stdout: '{}', stderr: warning },
  ]
  const { find } = await check({ answers })
  expect(find('injected_pod')).toMatchObject([
    {
      details: [],
      failure: { problem: expect.stringMatching(/^the ResourceQuota team refuses /) },
    },
  ])
})

test('says that a pod without the injection would be refused, too', async () => {
  const answers = [WEBHOOK_OK, refuse(DRY_RUN, ': admission webhook "a" denied the request: no')]
  const { find } = await check({ answers })
  expect(find('injected_pod')[0]?.details).toContain(
    'the admission webhook a refuses the same pod without the injection, too',
  )
})

test.each([
  ['env', ['--image=contoso.azurecr.io/wimds:1']],
  ['node', ['--gate-image=contoso.azurecr.io/gate:1']],
])(
  'sends in mode %s a pod that policies for good pods admit, with the images that are given',
  async (mode, flags) => {
    using fake = fakeKubectl([
      WEBHOOK_OK,
      { call: '"name":"wimds-node-agent"', stdout: '{}' },
      ...(await cluster()),
    ])
    const args = ['--pre', '--namespace=shop', `--mode=${mode}`, ...flags]
    await runDoctor(args, { ...env, ...fake.env })
    const pods = [await fake.inputOf(DRY_RUN)]
    if (mode === 'node') pods.push(await fake.inputOf('"name":"wimds-node-agent"'))
    for (const { spec } of pods.map((pod) => JSON.parse(pod))) {
      for (const container of spec.containers) {
        expect(container).toMatchObject({
          image: flags[0]?.replace(/.*=/, ''),
          livenessProbe: { exec: {} },
          readinessProbe: { exec: {} },
          securityContext: { readOnlyRootFilesystem: true },
        })
      }
      for (const container of spec.initContainers ?? []) {
        expect(container.image).toMatch(/^contoso/)
      }
    }
  },
)

test.each([
  ['none', undefined],
  ['1000700000', 1_000_700_000],
])('asks for the uid %s that is given', async (uid, runAsUser) => {
  using fake = fakeKubectl([WEBHOOK_OK, ...(await cluster())])
  await runDoctor(['--pre', '--mode=env', `--uid=${uid}`], { ...env, ...fake.env })
  const { spec } = JSON.parse(await fake.inputOf(DRY_RUN))
  expect(spec.initContainers[0].securityContext.runAsUser).toBe(runAsUser)
})

describe('the rights of the node agent', () => {
  const IN_ITS_NAMESPACE = '--filename=- --namespace=wimds-node-agent'
  const NO_NAMESPACE: KubectlAnswer = {
    call: IN_ITS_NAMESPACE,
    code: 1,
    stderr:
      'Error from server (NotFound): error when creating "STDIN": namespaces "wimds-node-agent" not found\n',
  }
  const flags = ['--mode=node', '--gate-image=contoso.azurecr.io/gate:1']

  test('are those of the chart, in its namespace', async () => {
    using fake = fakeKubectl([{ call: IN_ITS_NAMESPACE, stdout: '{}' }, ...(await cluster())])
    const args = ['--pre', '--namespace=shop', ...flags]
    const { find } = await diagnose(args, { ...env, ...fake.env })
    expect(find('node_agent')).toMatchObject([
      { status: 'ok', subject: 'namespace wimds-node-agent' },
    ])
    const pod = JSON.parse(await fake.inputOf(IN_ITS_NAMESPACE))
    const [container] = pod.spec.containers
    expect(container.image).toBe('contoso.azurecr.io/gate:1')
    const chart = await readFile('charts/wimds/templates/node-agent.yaml', 'utf8')
    expect(chart).toContain(`add: [${container.securityContext.capabilities.add.join(', ')}]`)
    expect(chart).toContain('runAsUser: 0')
    expect(chart).toContain('path: {{ .kubeletDirectory }}/pods')
    expect(chart).not.toMatch(/privileged: true|hostPID|hostNetwork/)
  })

  test.each([
    [
      '(Forbidden): CREATING pods "a" is forbidden: violates PodSecurity "restricted:latest": no',
      /^the Pod Security level restricted:latest refuses a pod with the rights of the node agent: /,
    ],
    [
      '(Forbidden): CREATING admission webhook "validation.gatekeeper.sh" denied the request: [a] HostPath volumes are forbidden',
      /^the admission webhook validation\.gatekeeper\.sh refuses a pod with the rights of the node agent: .*HostPath/,
    ],
  ])('fail where the API server answers %j', async (text, problem) => {
    const { failures, problems, fixes } = await check({
      answers: [refuse(IN_ITS_NAMESPACE, text)],
      flags,
    })
    expect(failures).toEqual(['node_agent: pod_not_admitted'])
    expect(problems[0]?.problem).toMatch(problem)
    expect(fixes).toMatch(/^label that namespace .*=privileged, or exempt it .*--excluded-ns, with/)
  })

  test('are not checked without that namespace', async () => {
    const { find, failures } = await check({ answers: [NO_NAMESPACE], flags })
    expect(find('node_agent')).toMatchObject([
      {
        status: 'not_checked',
        reason: expect.stringMatching(
          /^there is no namespace wimds-node-agent\..*enforce=privileged/,
        ),
      },
    ])
    expect(failures).toEqual([])
  })
})

test('explains a LimitRange', async () => {
  const minimum =
    '(Forbidden): CREATING pods "a" is forbidden: minimum memory usage per Container is 32Mi, but request is 1Mi'
  const { failures, fixes } = await check({ answers: [WEBHOOK_OK, refuse(DRY_RUN, minimum)] })
  expect(failures).toEqual(['injected_pod: pod_not_admitted'])
  expect(fixes).toMatch(/^give the injected containers resources that it allows/)
})

test('asks for the images that are given, and no others', async () => {
  using fake = fakeKubectl([WEBHOOK_OK, ...(await cluster())])
  const flags = ['--image=contoso.azurecr.io/a:1', '--redirect-image=contoso.azurecr.io/b:1']
  await runDoctor(['--pre', '--namespace=shop', ...flags], { ...env, ...fake.env })
  const images = (await fake.inputOf(DRY_RUN)).matchAll(/"image":"([^"]+)"/g)
  expect(new Set([...images].map(([, image]) => image))).toEqual(
    new Set(flags.map((flag) => flag.replace(/.*=/, ''))),
  )
})

test.each([
  [DRY_RUN, '(Forbidden): pods is forbidden: User "me" cannot create resource "pods"'],
  [DRY_RUN, '(BadRequest): CREATING admission webhook "a" does not support dry run'],
  [DRY_RUN, '(NotFound): CREATING namespaces "shop" not found'],
])('cannot check whether a pod is admitted if %s is answered with %j', async (call, text) => {
  const { find, failures } = await check({ answers: [WEBHOOK_OK, refuse(call, text)] })
  expect(find('injected_pod')[0]?.status).toBe('not_checked')
  expect(failures).toEqual([])
})

test('finds a cluster that forbids mutating webhooks', async () => {
  const denied =
    '(Forbidden): CREATING admission webhook "safeguards" denied the request: no webhooks'
  const { failures, problems, fixes } = await check({ answers: [refuse(WEBHOOK, denied)] })
  expect(failures).toEqual(['webhook_configuration: webhook_not_admitted'])
  expect(problems[0]?.problem).toMatch(/^the admission webhook safeguards refuses the webhook of/)
  expect(fixes).toMatch(/^inject manifests by wimds inject/)
  const down = '(InternalError): failed calling webhook "others.example": no route to host'
  const unreachable = await check({ answers: [refuse(WEBHOOK, down)] })
  expect(unreachable.fixes).toMatch(/until then no such object can be created here$/)
  const mayNot = '(Forbidden): User "me" cannot create resource "mutatingwebhookconfigurations"'
  const { statuses } = await check({ answers: [refuse(WEBHOOK, mayNot)] })
  expect(statuses).toContain('webhook_configuration: not_needed')
  const undecided = '(BadRequest): CREATING admission webhook "a" does not support dry run'
  const { statuses: others } = await check({ answers: [refuse(WEBHOOK, undecided)] })
  expect(others).toContain('webhook_configuration: not_checked')
})

test.each([
  ['v1.29.9', '29', 'failed'],
  ['v1.30.3', '30+', 'ok'],
  ['v0.0.0-master', '', 'not_checked'],
])('judges the API server %s', async (gitVersion, minor, status) => {
  const serverVersion = { gitVersion, major: '1', minor }
  const answers = [{ call: 'version', stdout: JSON.stringify({ serverVersion }) }]
  const { statuses } = await check({ answers })
  expect(statuses[0]).toBe(`api_server: ${status}`)
  expect(statuses).toHaveLength(6)
})

test.each([
  [['--pre', '--pod=a/b'], '--pod or --pre, not both'],
  [['--pre', '--no-exchange'], '--no-exchange is only for checks on this machine'],
  [['--namespace=x'], 'is only for --pre'],
  [['--issuer=x'], 'is only for --pre'],
  [['--uid=none'], '--uid is only for --pre'],
  [['--pre', '--uid=root'], '--uid'],
  [['--context=x'], 'is only for --pre'],
])('rejects %j', async (args, message) => {
  const { code, stderr } = await runDoctor(args)
  expect(code).toBe(64)
  expect(stderr).toContain(message)
})
