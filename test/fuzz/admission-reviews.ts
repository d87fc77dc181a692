/** Generates AdmissionReviews of hostile and malformed pods. */
import * as fc from 'fast-check'
import { pods } from '../injection/injector/arbitrary-pod.ts'

const CONTAINER = { name: 'app', image: 'app:1' }
const MOUNT = { name: 'wimds-token', mountPath: '/var/run/secrets/wimds' }

/** Names with a meaning in a path, a URL or an object. */
const HOSTILE_NAMES = [
  ['', '.', '..', '../../default', 'a/b', 'a%2fb', 'a?b', 'a#b', '__proto__', 'constructor'],
  ['Default', 'orders ', 'ordérs', '\0', '\ud800', 'x'.repeat(300)],
].flat()

const names = fc.oneof(
  { arbitrary: fc.constantFrom('default', 'orders', 'billing-v2'), weight: 4 },
  { arbitrary: fc.constantFrom(...HOSTILE_NAMES), weight: 1 },
)

const ANNOTATIONS = [
  ['inject', 'injected', 'mode', 'port', 'admin-port', 'config-map', 'prefetch', 'pass-through'],
  ['cpu-request', 'cpu-limit', 'memory-request', 'memory-limit'],
  ['skip-containers', 'unknown', '', '__proto__'],
]
  .flat()
  .map((name) => `wimds.io/${name}`)
const FOREIGN_ANNOTATIONS = [
  [
    'client-id',
    'tenant-id',
    'inject-proxy-sidecar',
    'proxy-sidecar-port',
    'skip-containers',
    'service-account-token-expiration',
  ].map((name) => `azure.workload.identity/${name}`),
  ['__proto__', 'constructor', 'a~1b/c', 'é/ü'],
].flat()

const annotationValue = fc.oneof(
  fc.constantFrom('true', 'false', 'env', 'loopback', 'nft', '64169', '9169', '1e9', '-1', '1Gi'),
  fc.constantFrom('', ' ', '0', 'NaN', '/metadata/', '/metadata/identity', '..', 'a/b/c', '\n\0'),
  fc.string({ unit: 'binary', maxLength: 20 }),
)

const annotations = fc.dictionary(
  fc.constantFrom(...ANNOTATIONS, ...FOREIGN_ANNOTATIONS),
  annotationValue,
  { maxKeys: 4, noNullPrototype: true },
)

const WHOSE = '66666666-6666-4666-8666-666666666666'
const VARIABLES = [
  { name: 'AZURE_CLIENT_ID', value: WHOSE },
  { name: 'AZURE_TENANT_ID', value: WHOSE },
  { name: 'AZURE_CLIENT_ID', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
  { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/var/run/secrets/wimds/token' },
  { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/data/token' },
  { name: 'WIMDS_LISTEN', value: '0.0.0.0:64169' },
  { name: 'IDENTITY_ENDPOINT', value: 'http://evil.example' },
]

/** Specs whose containers and volumes imitate injected ones. */
const hostileSpec = fc.record(
  {
    containers: fc.array(
      fc.record(
        {
          name: fc.constantFrom('app', 'app', 'wimds', 'wimds-redirect', 'azwi-proxy', '\ud800'),
          image: fc.constant('evil:1'),
          command: fc.constant(['/bin/evil']),
          env: fc.oneof(
            fc.array(fc.constantFrom(...VARIABLES), { maxLength: 3 }),
            fc.constant(null),
          ),
          volumeMounts: fc.constantFrom([], null, [MOUNT], [{ name: 'data', mountPath: '/data' }]),
          ports: fc.constantFrom([], [{ containerPort: 64169 }], [{}], null),
        },
        { requiredKeys: ['name'] },
      ),
      { minLength: 1, maxLength: 3 },
    ),
    initContainers: fc.constantFrom(null, [], [{ name: 'wimds', image: 'evil:1' }], [CONTAINER]),
    volumes: fc.constantFrom(
      null,
      [{ name: 'wimds-token', emptyDir: {} }],
      [{ name: 'data', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
      [{ name: 'azure-identity-token', projected: { sources: null } }],
    ),
    serviceAccountName: names,
    hostNetwork: fc.constantFrom(true, false, null),
    restartPolicy: fc.constantFrom('Always', 'Never', null),
    os: fc.constantFrom({ name: 'windows' }, { name: 'linux' }, null),
  },
  { requiredKeys: ['containers'] },
)

const metadata = fc.record(
  {
    annotations: fc.oneof(
      { arbitrary: annotations, weight: 6 },
      { arbitrary: fc.constant(null), weight: 1 },
    ),
    labels: fc.constantFrom(null, {}, { 'azure.workload.identity/use': 'true' }),
    namespace: fc.constantFrom('shop', 'kube-system'),
  },
  { requiredKeys: [] },
)

const pod = fc.oneof(
  fc.record({ metadata, spec: hostileSpec }),
  fc.record({ metadata, spec: pods.map((each) => each.spec) }),
)

interface Request {
  readonly uid: string
  readonly namespace?: string
  readonly object: unknown
}

/** Well-formed reviews with a hostile pod, name or uid. */
export const reviews = fc
  .record(
    {
      uid: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
      namespace: names,
      object: pod,
    },
    { requiredKeys: ['uid', 'object'] },
  )
  .map((request: Request) => ({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      kind: { group: '', version: 'v1', kind: 'Pod' },
      operation: 'CREATE',
      ...request,
    },
  }))

/** Removes or replaces one member of the value, at any depth. */
export function corrupt(value: unknown): fc.Arbitrary<unknown> {
  return fc
    .tuple(fc.array(fc.nat(30), { maxLength: 8 }), fc.oneof(fc.constant(undefined), fc.jsonValue()))
    .map(([turns, other]) => replaceMember(value, turns, other))
}

/** Each turn selects a member by its number, modulo the number of members. */
function replaceMember(value: unknown, turns: readonly number[], other: unknown): unknown {
  const [turn, ...rest] = turns
  if (turn === undefined || typeof value !== 'object' || value === null) return other
  const keys = Object.keys(value)
  const key = keys[turn % Math.max(1, keys.length)]
  if (key === undefined) return other
  const copy: object = Array.isArray(value) ? [...value] : { ...value }
  Reflect.set(copy, key, replaceMember(Reflect.get(value, key), rest, other))
  return copy
}
