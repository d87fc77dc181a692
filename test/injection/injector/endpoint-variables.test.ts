/** The endpoint variables of SDKs in mode env, and what a container's own ones change. */
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { APP, containerOf, envOf, injected, pod, reasonsFor, warningsFor } from './patched.ts'

const ENV = { 'wimds.io/mode': 'env' }
const ORIGIN = 'http://127.0.0.1:64169'
const TOKENS = `${ORIGIN}/msi/token`
const CLOUD_SHELL = `${ORIGIN}/oauth2/token`
const IMDS = `${ORIGIN}/metadata/identity/oauth2/token`

type Variable = { readonly value: string } | { readonly valueFrom: object }

/** Returns a pod whose container has these variables. */
function podWith(own: Readonly<Record<string, string | Variable>>, annotations = ENV) {
  const env = Object.entries(own).map(([name, variable]) =>
    typeof variable === 'string' ? { name, value: variable } : { name, ...variable },
  )
  return pod(annotations, { containers: [{ ...APP, env }] })
}

/** As the API server stores it. */
const UID: Variable = { valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.uid' } } }
const SECRET: Variable = { valueFrom: { secretKeyRef: { name: 'header', key: 'identity-header' } } }

test('mode env gives the sidecar and the application the uid of their pod', () => {
  const result = injected(pod(ENV))
  const { WIMDS_IDENTITY_HEADER: header } = envOf(result, 'wimds')
  expect(stringify({ header, app: containerOf(result, 'app') }, { aliasDuplicateObjects: false }))
    .toMatchInlineSnapshot(`
      "header:
        fieldRef:
          fieldPath: metadata.uid
      app:
        name: app
        image: app:1
        env:
          - name: AZURE_POD_IDENTITY_AUTHORITY_HOST
            value: http://127.0.0.1:64169
          - name: IDENTITY_ENDPOINT
            value: http://127.0.0.1:64169/msi/token
          - name: IDENTITY_HEADER
            valueFrom:
              fieldRef:
                fieldPath: metadata.uid
          - name: MSI_ENDPOINT
            value: http://127.0.0.1:64169/msi/token
          - name: MSI_SECRET
            valueFrom:
              fieldRef:
                fieldPath: metadata.uid
      "
    `)
})

describe('a container of its own', () => {
  const HOST = ['AZURE_POD_IDENTITY_AUTHORITY_HOST']
  const PAIR = ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER']
  const OLDER = ['MSI_ENDPOINT', 'MSI_SECRET']
  const ALL = [...HOST, ...PAIR, ...OLDER]

  test.each<[string, Readonly<Record<string, string | Variable>>, readonly string[]]>([
    ['no variable', {}, ALL],
    ['another host', { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://localhost:64169' }, ALL.slice(1)],
    ['the client id of Azure ML', { DEFAULT_IDENTITY_CLIENT_ID: 'c' }, ALL],
    ['an endpoint', { IDENTITY_ENDPOINT: TOKENS }, [...HOST, 'IDENTITY_HEADER', ...OLDER]],
    ['an older endpoint', { MSI_ENDPOINT: TOKENS }, [...HOST, ...PAIR, 'MSI_SECRET']],
    ['the pair', { IDENTITY_ENDPOINT: TOKENS, IDENTITY_HEADER: UID }, [...HOST, ...OLDER]],
    ['another header without endpoint', { IDENTITY_HEADER: 's' }, [...HOST, ...OLDER]],
    ['another secret without endpoint', { MSI_SECRET: SECRET }, [...HOST, ...PAIR]],
    // Scripts: IMDS answers 400 to a header in place of Metadata, and Cloud Shell knows no secret.
    ['the path of IMDS', { IDENTITY_ENDPOINT: IMDS }, HOST],
    ['the path of IMDS and a header', { IDENTITY_ENDPOINT: IMDS, IDENTITY_HEADER: 's' }, HOST],
    ['the path of IMDS in the older variable', { MSI_ENDPOINT: IMDS }, HOST],
    // SDKs differ in which of the two they read first, and Cloud Shell knows no user-assigned identity.
    ['Cloud Shell', { MSI_ENDPOINT: CLOUD_SHELL }, HOST],
  ])('with %s gets what does not change its meaning', (_, own, added) => {
    const once = injected(podWith(own))
    const names = containerOf(once, 'app').env?.map(({ name }) => name) ?? []
    expect(names).toEqual([...Object.keys(own), ...added])
    // The webhook may be called again.
    expect(injected(once)).toEqual(once)
  })

  const DIFFERS = 'to another value than the sidecar has, which answers 401 to it. Fix: remove'

  test.each<[string, Readonly<Record<string, string | Variable>>, string]>([
    ['a header', { IDENTITY_ENDPOINT: TOKENS, IDENTITY_HEADER: 's' }, `IDENTITY_HEADER ${DIFFERS}`],
    ['an empty header', { IDENTITY_ENDPOINT: TOKENS, IDENTITY_HEADER: '' }, DIFFERS],
    [
      'a Secret',
      { MSI_ENDPOINT: TOKENS, MSI_SECRET: SECRET },
      `MSI_SECRET ${DIFFERS} MSI_ENDPOINT`,
    ],
    [
      'a path of no protocol',
      { MSI_ENDPOINT: `${ORIGIN}/msi` },
      `sets MSI_ENDPOINT, so SDKs that read it never ask the sidecar. Fix: remove the variable, set it to ${TOKENS} or ${CLOUD_SHELL}, or list`,
    ],
    [
      'a path that SDKs add',
      { AZURE_POD_IDENTITY_AUTHORITY_HOST: IMDS },
      `set it to ${ORIGIN}, or list`,
    ],
    ['another port', { MSI_ENDPOINT: 'http://127.0.0.1:8000/oauth2/token' }, 'never ask'],
    // Clients differ in how they parse these.
    ['a user', { MSI_ENDPOINT: 'http://$(USER)@127.0.0.1:64169/oauth2/token' }, 'never ask'],
    [
      'a backslash',
      { MSI_ENDPOINT: String.raw`http://127.0.0.1:64169\@example.com/` },
      'never ask',
    ],
    ['IPv6', { MSI_ENDPOINT: 'http://[::1]:64169/oauth2/token' }, 'never ask'],
    ['no port', { MSI_ENDPOINT: 'http://127.0.0.1:641690/' }, 'never ask'],
  ])('with %s from which SDKs get no token is rejected', (_, own, reason) => {
    expect(reasonsFor(podWith(own))).toEqual([expect.stringContaining(reason)])
  })
})

describe('a header of the operator', () => {
  const sidecarEnv = [{ name: 'WIMDS_IDENTITY_HEADER', value: 'the same' }]

  test('is that of the application too', () => {
    expect(envOf(injected(pod(ENV), { sidecarEnv }), 'app')).toMatchObject({
      IDENTITY_HEADER: 'the same',
      MSI_SECRET: 'the same',
    })
  })

  test.each([['the same'], [SECRET]])('may be the one of a container: %j', (header) => {
    const own = { IDENTITY_ENDPOINT: TOKENS, IDENTITY_HEADER: header }
    expect(reasonsFor(podWith(own), { sidecarEnv })).toEqual([])
  })

  test.each([['other'], [UID]])('is not the one of a container: %j', (header) => {
    const own = { IDENTITY_ENDPOINT: TOKENS, IDENTITY_HEADER: header }
    expect(reasonsFor(podWith(own), { sidecarEnv })).toEqual([expect.stringContaining('401')])
  })

  test('that is empty leaves out the endpoint of App Service', () => {
    const off = { sidecarEnv: [{ name: 'WIMDS_IDENTITY_HEADER', value: '' }] }
    expect(Object.keys(envOf(injected(pod(ENV), off), 'app'))).toEqual([
      'AZURE_POD_IDENTITY_AUTHORITY_HOST',
    ])
  })
})

test('in mode loopback the endpoint of App Service has no secret, and a warning says so', () => {
  const given = podWith(
    { IDENTITY_ENDPOINT: TOKENS, IDENTITY_HEADER: 's' },
    {
      'wimds.io/mode': 'loopback',
    },
  )
  expect(warningsFor(given)).toEqual([
    'the container app sets IDENTITY_ENDPOINT, but the sidecar has no secret for it (WIMDS_IDENTITY_HEADER). Fix: remove IDENTITY_ENDPOINT, or choose mode env (wimds.io/mode), which sets both',
  ])
})
