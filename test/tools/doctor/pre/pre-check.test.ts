/** `wimds doctor --pre` with a fake kubectl, which answers from a table, and an issuer behind a proxy. */
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

/** Returns the answer with a document of the API server, by its path. */
async function documentOf(
  issuer: Awaited<ReturnType<typeof createIssuer>>,
  call: string,
): Promise<KubectlAnswer> {
  const url = new URL(call.slice(1), ISSUER)
  return { call, stdout: await (await issuer.handler(new Request(url))).text() }
}

/** Returns the answers of a cluster in which every check passes. */
async function cluster(): Promise<KubectlAnswer[]> {
  const version = { gitVersion: 'v1.34.4', major: '1', minor: '34' }
  return [
    { call: 'version', stdout: JSON.stringify({ serverVersion: version }) },
    await documentOf(published, DISCOVERY),
    { call: 'create --dry-run=server', stdout: '{}' },
  ]
}

interface Case {
  /** The answers that come before those of the cluster. */
  readonly answers?: readonly KubectlAnswer[]
  readonly changes?: Readonly<Record<string, string>>
}

async function check({ answers = [], changes = {} }: Case = {}) {
  using fake = fakeKubectl([...answers, ...(await cluster())])
  const settings = { ...env, ...fake.env, ...changes }
  const diagnosis = await diagnose(['--pre', '--namespace=shop'], settings)
  const statuses = diagnosis.report.checks.map(({ check: name, status }) => `${name}: ${status}`)
  return { ...diagnosis, statuses, calls: await fake.calls() }
}

test('passes for a cluster that is ready, and changes nothing in it', async () => {
  const { code, report, statuses, calls } = await check()
  expect(statuses).toEqual(['api_server: ok', 'issuer: ok', 'injected_pod: ok'])
  expect(report).toMatchObject({ ok: true, schemaVersion: 1 })
  expect(report.checks.at(-1)?.details).toContainEqual(
    expect.stringMatching(/^– not checked: .*login host.*nodes/),
  )
  expect(code).toBe(0)
  const creations = calls.filter((call) => !/^--namespace=shop (?:get|version) /.test(call))
  expect(new Set(creations)).toEqual(
    new Set(['--namespace=shop create --dry-run=server --output=json --filename=-']),
  )
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

const other = (issuer: string): Case => ({ answers: [discovery(issuer)] })

describe('the issuer', () => {
  test.each<[string, Case, RegExp]>([
    ['unreachable', other('https://kubernetes.default.svc.cluster.local'), /is internal to the/],
    ['unreachable', other('https://oidc.invalid'), /cannot be used: /],
    ['unreachable', { changes: { WIMDS_CA_FILE: '' } }, /certificate/],
    ['unreachable', other(`https://${HOST}/other`), /it answered 404/],
    ['mismatch', other(ISSUER.replace(/\/$/, '')), /names the issuer/],
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

  test.each<[string, Omit<KubectlAnswer, 'call'>]>([
    ['you may not read its document', { code: 1, stderr: 'Error from server (Forbidden): no' }],
    ['the API server names no jwks_uri', { stdout: `{"issuer":"${ISSUER}"}` }],
  ])('is not checked if %s', async (_, answer) => {
    const { find, code } = await check({ answers: [{ call: DISCOVERY, ...answer }] })
    expect(find('issuer')).toMatchObject([{ status: 'not_checked' }])
    expect(code).toBe(2)
  })
})

test('names kubectl as missing, and checks nothing else', async () => {
  const { code, failures, report } = await check({ changes: { PATH: '/nowhere' } })
  expect({ code, failures }).toEqual({ code: 1, failures: ['api_server: kubectl_missing'] })
  expect(report.checks).toHaveLength(1)
})

const DRY_RUN = 'create --dry-run=server'
const IS_INJECTED = '"name":"wimds"'

/** Returns the answer of kube-apiserver 1.34 to an object that it refuses. */
const refuse = (call: string, text: string): KubectlAnswer => ({
  call,
  code: 1,
  stderr: `Error from server ${text.replace('CREATING', 'error when creating "STDIN":')}\n`,
})

/** The refuser of the pod, a word of the fix, the message of kube-apiserver, and the code. */
test.each<[string, string, string, string?]>([
  [
    'the ValidatingAdmissionPolicy one-registry',
    '--image-registry',
    `The pods "a" is invalid: : ValidatingAdmissionPolicy 'one-registry' with binding 'all' denied request: images`,
  ],
  [
    'the admission webhook validate.kyverno.svc-fail',
    'exempt',
    '(Forbidden): CREATING admission webhook "validate.kyverno.svc-fail" denied the request: [no-net-admin]',
  ],
  [
    'the Pod Security level baseline:latest',
    'since mode loopback needs',
    '(Forbidden): CREATING pods "a" is forbidden: violates PodSecurity "baseline:latest": non-default capabilities',
  ],
  [
    'a LimitRange',
    'wimds.io/cpu-limit',
    '(Forbidden): CREATING pods "a" is forbidden: minimum memory usage per Container is 32Mi, but request is 1Mi',
  ],
  [
    'the unreachable admission webhook validate.others.example',
    'find its configuration',
    '(InternalError): Internal error occurred: failed calling webhook "validate.others.example": no route to host',
    'webhook_unavailable',
  ],
])('names what refuses the pod: %s', async (by, fix, text, code = 'pod_not_admitted') => {
  const { failures, problems, fixes, find } = await check({ answers: [refuse(IS_INJECTED, text)] })
  expect(failures).toEqual([`injected_pod: ${code}`])
  expect(problems[0]?.problem).toContain(`${by} refuses `)
  expect(fixes).toContain(fix)
  // The same pod without the injection is admitted.
  expect(find('injected_pod')[0]?.details).toEqual([])
})

test('names no policy that only warns', async () => {
  const warning = `Warning: Validation failed for ValidatingAdmissionPolicy 'warns' with binding 'all': no\n`
  const refused = refuse(IS_INJECTED, '(Forbidden): pods "a" is forbidden: exceeded quota: team, x')
  const answers = [{ ...refused, stderr: `${warning}${refused.stderr}` }]
  const { problems } = await check({ answers })
  expect(problems[0]?.problem).toMatch(/^the ResourceQuota team refuses /)
})

test('says that the same pod would also be refused without the injection', async () => {
  const answers = [refuse(DRY_RUN, ': admission webhook "a" denied the request: no')]
  const { find } = await check({ answers })
  expect(find('injected_pod')[0]?.details).toContain(
    'the admission webhook a refuses the same pod without the injection, too',
  )
})

test.each<[string, string[], string, number?]>([
  ['loopback', ['wimds', 'wimds-redirect'], '1000700000', 1_000_700_000],
  ['node', ['wimds-gate'], 'none'],
])(
  'sends an injected pod of mode %s that common policies admit, with the given registry and uid',
  async (mode, names, uid, runAsUser) => {
    using fake = fakeKubectl(await cluster())
    const flags = [`--mode=${mode}`, '--image-registry=contoso.azurecr.io', `--uid=${uid}`]
    await runDoctor(['--pre', ...flags], { ...env, ...fake.env })
    const pod = JSON.parse(await fake.inputOf(DRY_RUN))
    // An installed webhook leaves this pod as it is.
    const settings = { ...INJECTION_DEFAULTS, injectByDefault: true }
    expect(inject({ pod, serviceAccount: {}, settings }).kind).toBe('skipped')
    const { containers, initContainers } = pod.spec
    expect(initContainers.map(({ name }: { name: string }) => name)).toEqual(names)
    expect(initContainers[0].securityContext.runAsUser).toBe(runAsUser)
    for (const { image } of [...containers, ...initContainers]) {
      expect(image).toMatch(/^contoso\.azurecr\.io\//)
    }
    expect(containers).toMatchObject([
      { livenessProbe: {}, readinessProbe: {}, securityContext: { readOnlyRootFilesystem: true } },
    ])
  },
)

test.each([
  '(Forbidden): pods is forbidden: User "me" cannot create resource "pods"',
  '(BadRequest): CREATING admission webhook "a" does not support dry run',
  '(NotFound): CREATING namespaces "shop" not found',
])('cannot check whether a pod is admitted after %j', async (text) => {
  const { find, failures } = await check({ answers: [refuse(DRY_RUN, text)] })
  expect(find('injected_pod')[0]?.status).toBe('not_checked')
  expect(failures).toEqual([])
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
  expect(statuses).toHaveLength(3)
})
