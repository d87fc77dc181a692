/** A pod, or a workload's pod template, read loosely: the fields the injector looks at; the rest is kept. */
import * as z from 'zod/mini'

const EnvVar = z.looseObject({ name: z.string() })

const VolumeMount = z.looseObject({
  name: z.string(),
  mountPath: z.string(),
  subPath: z.nullish(z.string()),
  subPathExpr: z.nullish(z.string()),
})

const SecurityContext = z.looseObject({ runAsUser: z.nullish(z.number()) })

const Quantities = z.nullish(z.record(z.string(), z.union([z.string(), z.number()])))

const Container = z.looseObject({
  name: z.string(),
  env: z.nullish(z.array(EnvVar)),
  envFrom: z.nullish(z.array(z.unknown())),
  ports: z.nullish(
    z.array(z.looseObject({ name: z.nullish(z.string()), containerPort: z.nullish(z.number()) })),
  ),
  volumeMounts: z.nullish(z.array(VolumeMount)),
  resources: z.nullish(z.looseObject({ requests: Quantities, limits: Quantities })),
  securityContext: z.nullish(SecurityContext),
})

const TokenSource = z.looseObject({ path: z.string() })

const Volume = z.looseObject({
  name: z.string(),
  projected: z.nullish(
    z.looseObject({
      sources: z.nullish(z.array(z.looseObject({ serviceAccountToken: z.nullish(TokenSource) }))),
    }),
  ),
  configMap: z.nullish(z.looseObject({ name: z.nullish(z.string()) })),
})

const Texts = z.nullish(z.record(z.string(), z.string('must be text: put it in quotes')))

const Pod = z.looseObject({
  metadata: z.nullish(z.looseObject({ annotations: Texts, labels: Texts })),
  spec: z.looseObject({
    containers: z.array(Container).check(z.minLength(1, 'must not be empty')),
    initContainers: z.nullish(z.array(Container)),
    volumes: z.nullish(z.array(Volume)),
    serviceAccountName: z.nullish(z.string()),
    serviceAccount: z.nullish(z.string()),
    restartPolicy: z.nullish(z.string()),
    hostNetwork: z.nullish(z.boolean()),
    nodeSelector: Texts,
    os: z.nullish(z.looseObject({ name: z.string() })),
    securityContext: z.nullish(SecurityContext),
  }),
})

export type Pod = z.infer<typeof Pod>
export type Container = z.infer<typeof Container>
export type EnvVar = z.infer<typeof EnvVar>
export type Volume = z.infer<typeof Volume>
export type VolumeMount = z.infer<typeof VolumeMount>

/** The names of what the injector adds to a pod. */
export const SIDECAR = 'wimds'
export const REDIRECT = 'wimds-redirect'
const OWN_NAMES: ReadonlySet<string> = new Set([SIDECAR, REDIRECT])

/** The pod, or a sentence for each field that is not as Kubernetes wants it. */
export function parsePod(value: unknown): Pod | readonly string[] {
  const parsed = Pod.safeParse(value)
  if (parsed.success) return parsed.data
  return parsed.error.issues.map(mistakeOf)
}

/** `spec.containers must be of type array` */
export function mistakeOf(issue: z.core.$ZodIssue): string {
  const place = issue.path.join('.') || 'the pod template'
  const isUnsaid = issue.code === 'invalid_type' && issue.message === 'Invalid input'
  return `${place} ${isUnsaid ? `must be of type ${issue.expected}` : issue.message}`
}

/** Every container of the pod's own, init containers first; never the injected ones. */
export function ownContainers(pod: Pod): Container[] {
  return allContainers(pod).filter((container) => !isInjected(container))
}

/** True for the containers that the injector adds. */
export function isInjected({ name }: Container): boolean {
  return OWN_NAMES.has(name)
}

/**
 * The name of the pod's ServiceAccount: the namespace's `default` where it names none. The API server
 * still reads the deprecated `serviceAccount` where there is no `serviceAccountName`.
 */
export function accountNameOf(spec: {
  readonly serviceAccountName?: unknown
  readonly serviceAccount?: unknown
}): string {
  const names = [spec.serviceAccountName, spec.serviceAccount]
  return names.find((name): name is string => typeof name === 'string' && name !== '') ?? 'default'
}

/** The sidecar, if the pod has one. */
export function sidecarOf(pod: Pod): Container | undefined {
  return allContainers(pod).find(({ name }) => name === SIDECAR)
}

/** Every container, the injected ones too. */
export function allContainers({ spec }: Pod): Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers]
}

/** The variable's entry, the last one if it is set twice, as the kubelet reads it. */
export function envVar(container: Container, name: string): EnvVar | undefined {
  return container.env?.findLast((entry) => entry.name === name)
}

/** The variable's plain value; undefined if it is not set, or taken from somewhere else. */
export function plainValue(container: Container, name: string): string | undefined {
  const entry = envVar(container, name)
  if (entry === undefined || entry['valueFrom'] != null) return undefined
  const value = entry['value'] ?? ''
  return typeof value === 'string' ? value : undefined
}

/** True if the pod says that it runs on Windows. */
export function isWindows({ spec }: Pod): boolean {
  return spec.os?.name === 'windows' || spec.nodeSelector?.['kubernetes.io/os'] === 'windows'
}
