/** Pods as users write them: any fields, in any order, some of them empty or null. */
import * as fc from 'fast-check'

const name = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z]$/)
  .filter((text) => !text.startsWith('wimds'))

const text = fc.oneof(
  fc.constantFrom(
    'true',
    'no',
    '0755',
    '~',
    '',
    ' a ',
    '# no',
    'a: b',
    '- x',
    '"',
    "'",
    'é',
    '1e3',
  ),
  fc.string({ maxLength: 12 }),
)

const envVar = fc.oneof(
  fc.record({ name: fc.stringMatching(/^[A-Z][A-Z_]{0,6}X$/), value: text }),
  fc.record({
    name: fc.constantFrom('NO_PROXY', 'no_proxy'),
    value: fc.constantFrom('', '.svc', 'a, localhost', '10.0.0.0/8,127.0.0.1'),
  }),
  fc.record({
    name: fc.constant('AZURE_FEDERATED_TOKEN_FILE'),
    value: fc.constantFrom('/mnt/tokens/token', '/run/secrets/azure/token', '/token', ''),
  }),
  fc.record({
    name: fc.constantFrom('NO_PROXY', 'SECRET'),
    valueFrom: fc.constant({ secretKeyRef: { name: 's', key: 'k' } }),
  }),
)

const listOf = <T extends { name: string }>(element: fc.Arbitrary<T>, minLength = 0) =>
  fc.uniqueArray(element, { selector: (each) => each.name, minLength, maxLength: 3 })

const resources = fc.constantFrom(
  {},
  { limits: { cpu: '1', memory: '1Gi' } },
  { requests: { cpu: '100m' }, limits: { memory: 1024 } },
)

const container = fc.record(
  {
    name,
    image: text,
    command: fc.array(text, { maxLength: 3 }),
    env: fc.oneof(listOf(envVar), fc.constant(null)),
    envFrom: fc.constantFrom([], [{ secretRef: { name: 's' } }]),
    resources,
    securityContext: fc.constantFrom({}, { runAsUser: 0 }, { runAsUser: 1501 }),
    volumeMounts: fc.constantFrom(
      [],
      [{ name: 'data', mountPath: '/data' }],
      [{ name: 'tokens', mountPath: '/mnt/tokens' }],
      [{ name: 'tokens', mountPath: '/run/secrets/azure' }],
      [{ name: 'tokens', mountPath: '/token', subPath: 'token' }],
    ),
  },
  { requiredKeys: ['name'] },
)

const tokens = { sources: [{ serviceAccountToken: { path: 'token' } }] }

const volume = fc.oneof(
  fc.record({ name, emptyDir: fc.constant({}) }),
  fc.record({ name: fc.constant('tokens'), projected: fc.constant(tokens) }),
)

const spec = fc.record(
  {
    containers: listOf(container, 1),
    initContainers: fc.oneof(listOf(container), fc.constant(null)),
    volumes: fc.oneof(listOf(volume), fc.constant(null)),
    securityContext: fc.constantFrom(
      {},
      { fsGroup: 2000 },
      { runAsUser: 1501, runAsNonRoot: true },
    ),
    serviceAccountName: fc.constant('orders'),
    hostAliases: fc.constant([{ ip: '10.0.0.1', hostnames: ['a', 'b'] }]),
  },
  { requiredKeys: ['containers'] },
)

const metadata = fc.record(
  {
    name,
    labels: fc.dictionary(name, text, { maxKeys: 2 }),
    annotations: fc.oneof(fc.dictionary(name, text, { maxKeys: 2 }), fc.constant(null)),
  },
  { requiredKeys: [] },
)

/** A pod that any mode can inject. */
export const pods = fc.record({ metadata, spec }, { requiredKeys: ['spec'] })
