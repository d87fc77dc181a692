/** Parses a pod, or the pod template of a workload. Fields that the injector does not read are kept. */
import * as z from 'zod/mini'
import { formatKind } from '../service/parsers.ts'

const EnvVar = z.looseObject({ name: z.string() })

const VolumeMount = z.looseObject({
  name: z.string(),
  mountPath: z.string(),
  subPath: z.nullish(z.string()),
  subPathExpr: z.nullish(z.string()),
})

const runAsUser = z.nullish(z.number())
const Names = z.nullish(z.array(z.string()))

const SecurityContext = z.looseObject({
  runAsUser,
  privileged: z.nullish(z.boolean()),
  allowPrivilegeEscalation: z.nullish(z.boolean()),
  capabilities: z.nullish(z.looseObject({ add: Names, drop: Names })),
})

const Quantity = z.union([z.string(), z.number()], {
  error: 'must be a quantity. Fix: write one such as 100m or 64Mi',
})
const Quantities = z.nullish(z.record(z.string(), Quantity))
const Resources = z.nullish(z.looseObject({ requests: Quantities, limits: Quantities }))

const Container = z.looseObject({
  name: z.string(),
  env: z.nullish(z.array(EnvVar)),
  envFrom: z.nullish(z.array(z.unknown())),
  ports: z.nullish(z.array(z.looseObject({ containerPort: z.nullish(z.number()) }))),
  volumeMounts: z.nullish(z.array(VolumeMount)),
  resources: Resources,
  securityContext: z.nullish(SecurityContext),
})

const TokenSource = z.looseObject({ path: z.string(), audience: z.nullish(z.string()) })

const Volume = z.looseObject({
  name: z.string(),
  projected: z.nullish(
    z.looseObject({
      sources: z.nullish(z.array(z.looseObject({ serviceAccountToken: z.nullish(TokenSource) }))),
    }),
  ),
})

const Texts = z.nullish(z.record(z.string(), z.string('must be a string. Fix: put it in quotes')))

/** The schema that `parsePod` applies. */
export const Pod = z.looseObject({
  metadata: z.nullish(z.looseObject({ annotations: Texts, labels: Texts })),
  spec: z.looseObject({
    containers: z.array(Container).check(z.minLength(1, 'must not be empty. Fix: add a container')),
    initContainers: z.nullish(z.array(Container)),
    volumes: z.nullish(z.array(Volume)),
    serviceAccountName: z.nullish(z.string()),
    serviceAccount: z.nullish(z.string()),
    hostNetwork: z.nullish(z.boolean()),
    nodeSelector: Texts,
    os: z.nullish(z.looseObject({ name: z.string() })),
    // Pod-level resources (Kubernetes 1.34).
    resources: Resources,
    securityContext: z.nullish(z.looseObject({ runAsUser })),
  }),
})

export type Pod = z.infer<typeof Pod>
export type Container = z.infer<typeof Container>
export type EnvVar = z.infer<typeof EnvVar>
export type Volume = z.infer<typeof Volume>
export type VolumeMount = z.infer<typeof VolumeMount>

/** Reserved names of the containers and volumes that the injector adds. */
export const SIDECAR = 'wimds'
export const REDIRECT = 'wimds-redirect'
/** The init container of mode node, which waits for the broker of its node. The node agent reads its variables and mounts. */
export const GATE = 'wimds-gate'

/** The path at which the API server mounts a token for itself in every container. */
export const API_ACCESS_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount'
export const TOKEN_VOLUME = 'wimds-token'
export const CONFIG_VOLUME = 'wimds-config'
export const CA_VOLUME = 'wimds-ca'
const CONTAINERS: ReadonlySet<string> = new Set([SIDECAR, REDIRECT, GATE])
const VOLUMES: ReadonlySet<string> = new Set([TOKEN_VOLUME, CONFIG_VOLUME, CA_VOLUME])

/** Returns the pod; undefined if it is malformed, with a sentence added to `problems` for each field. */
export function parsePod(value: unknown, problems: string[]): Pod | undefined {
  // `formatIssue` needs the input.
  const parsed = Pod.safeParse(value, { reportInput: true })
  if (parsed.success) return parsed.data
  problems.push(...parsed.error.issues.map(formatIssue))
  return undefined
}

/** Formats an issue of zod as `spec.containers must be a list. Fix: …`. Leaves out the value, which may be a secret. */
function formatIssue(issue: z.core.$ZodIssue): string {
  const place = issue.path.join('.') || 'the pod template'
  if (issue.code !== 'invalid_type' || issue.message !== 'Invalid input') {
    return `${place} ${issue.message}`
  }
  const field = ['pod', ...issue.path.filter((key) => typeof key !== 'number')].join('.')
  const [reason, fix] =
    issue.input == null
      ? ['is missing', 'add']
      : [`must be ${formatKind(issue.expected)}`, 'correct']
  return `${place} ${reason}. Fix: ${fix} it (kubectl explain ${field})`
}

/** Returns all containers, init containers first. */
export function allContainers({ spec }: Pod): Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers]
}

/** Returns true for the reserved names of containers. */
export function isInjected({ name }: Container): boolean {
  return CONTAINERS.has(name)
}

/** Returns true for the reserved names of volumes. */
export function isReservedVolume({ name }: Volume): boolean {
  return VOLUMES.has(name)
}

/**
 * Returns the name of the pod's ServiceAccount: `default` if it names none. The API server still reads
 * the deprecated `serviceAccount` if `serviceAccountName` is absent.
 */
export function getServiceAccountName(spec: {
  readonly serviceAccountName?: unknown
  readonly serviceAccount?: unknown
}): string {
  return findText(spec.serviceAccountName, spec.serviceAccount) ?? 'default'
}

/** Returns the first value that is a text and not empty. */
export function findText(...values: readonly unknown[]): string | undefined {
  return values.find((value): value is string => typeof value === 'string' && value !== '')
}

/** Returns true if the container has variables whose names are not in the pod. */
export function hasEnvFrom({ envFrom }: Container): boolean {
  return (envFrom?.length ?? 0) > 0
}

/** Returns the variable's entry; the last one if it is set twice, as the kubelet does. */
export function findVariable(container: Container, name: string): EnvVar | undefined {
  return container.env?.findLast((entry) => entry.name === name)
}

/** Returns the value of a variable; undefined if it is not set, or comes from `valueFrom`. */
export function getLiteralValue(entry: EnvVar | undefined): string | undefined {
  if (entry === undefined || entry['valueFrom'] != null) return undefined
  const value = entry['value'] ?? ''
  return typeof value === 'string' ? value : undefined
}

/** Returns the literal value of a variable; undefined also if it has `$(NAME)`, which only the kubelet resolves. */
export function getKnownValue(entry: EnvVar | undefined): string | undefined {
  const value = getLiteralValue(entry)
  return value?.includes('$(') ? undefined : value
}

/**
 * Returns why a runtime (Kata, gVisor) cannot run pods of mode `node`: the rules of the node's kernel do not reach its
 * network stack. Undefined for any other.
 */
export function findRuntimeProblem(runtimeClass: unknown): string | undefined {
  if (typeof runtimeClass !== 'string' || !/kata|gvisor|runsc/i.test(runtimeClass)) return undefined
  return `mode node does not work with the runtime class ${runtimeClass}, whose pods have a network stack of their own. Fix: set wimds.io/mode: env`
}
