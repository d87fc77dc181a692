/** Finds the workloads with a pod template, and the ServiceAccounts, of a manifest. */
import * as z from 'zod/mini'
import type { ServiceAccountAnnotations } from '../injector/plan.ts'
import { formatIssue, serviceAccountName } from '../injector/pod.ts'
import type { Key } from './yaml-nodes.ts'

export interface Workload {
  /** `Deployment/orders` */
  readonly label: string
  readonly namespace: string | undefined
  /** The path of the pod template in the document. */
  readonly path: readonly Key[]
  readonly template: unknown
  readonly serviceAccountName: string
  /** The annotations of the workload itself, which may opt out. */
  readonly annotations: Readonly<Record<string, unknown>>
  /** What is malformed in its metadata. */
  readonly problems: readonly string[]
}

export interface ServiceAccount {
  readonly name: string
  readonly namespace: string | undefined
  readonly annotations: ServiceAccountAnnotations
}

const SPEC_TEMPLATE = ['spec', 'template']

/** The path of the pod template, by API group and kind. */
const TEMPLATE_PATHS: Readonly<Record<string, readonly string[]>> = {
  '/Pod': [],
  '/ReplicationController': SPEC_TEMPLATE,
  'apps/Deployment': SPEC_TEMPLATE,
  'apps/StatefulSet': SPEC_TEMPLATE,
  'apps/DaemonSet': SPEC_TEMPLATE,
  'apps/ReplicaSet': SPEC_TEMPLATE,
  'batch/Job': SPEC_TEMPLATE,
  'batch/CronJob': ['spec', 'jobTemplate', 'spec', 'template'],
}

const KubernetesObject = z.looseObject({ apiVersion: z.string(), kind: z.string() })
type KubernetesObject = z.infer<typeof KubernetesObject>

const WithMetadata = z.looseObject({
  metadata: z.nullish(
    z.looseObject({
      name: z.nullish(z.string()),
      generateName: z.nullish(z.string()),
      namespace: z.nullish(z.string()),
      annotations: z.nullish(z.record(z.string(), z.unknown())),
    }),
  ),
})

/** Returns the workloads of one document, also those in a List. */
export function findWorkloads(document: unknown): Workload[] {
  return findObjects(document, []).flatMap(({ object, path }) => {
    const templatePath = TEMPLATE_PATHS[`${apiGroup(object)}/${object.kind}`]
    if (templatePath === undefined) return []
    const parsed = WithMetadata.safeParse(object)
    const metadata = parsed.data?.metadata
    const template = templatePath.reduce<unknown>(member, object)
    return {
      label: `${object.kind}/${metadata?.name ?? metadata?.generateName ?? '?'}`,
      namespace: metadata?.namespace ?? undefined,
      path: [...path, ...templatePath],
      template,
      serviceAccountName: accountName(template),
      annotations: metadata?.annotations ?? {},
      problems: parsed.success ? [] : parsed.error.issues.map(formatIssue),
    }
  })
}

/** Returns the ServiceAccounts of one document. */
export function findServiceAccounts(document: unknown): ServiceAccount[] {
  return findObjects(document, []).flatMap(({ object }) => {
    const metadata = WithMetadata.safeParse(object).data?.metadata
    if (object.apiVersion !== 'v1' || object.kind !== 'ServiceAccount') return []
    const texts = Object.entries(metadata?.annotations ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    )
    const namespace = metadata?.namespace ?? undefined
    return { name: metadata?.name ?? '', namespace, annotations: Object.fromEntries(texts) }
  })
}

interface Located {
  readonly object: KubernetesObject
  readonly path: readonly Key[]
}

function findObjects(document: unknown, path: readonly Key[]): Located[] {
  const parsed = KubernetesObject.safeParse(document)
  if (!parsed.success) return []
  const items = parsed.data['items']
  if (!parsed.data.kind.endsWith('List') || !Array.isArray(items)) {
    return [{ object: parsed.data, path }]
  }
  return items.flatMap((item, index) => findObjects(item, [...path, 'items', index]))
}

/** Returns the API group: the part before the slash; empty for the core group. */
function apiGroup({ apiVersion }: KubernetesObject): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
}

function accountName(template: unknown): string {
  const spec = member(template, 'spec')
  return serviceAccountName({
    serviceAccountName: member(spec, 'serviceAccountName'),
    serviceAccount: member(spec, 'serviceAccount'),
  })
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}
