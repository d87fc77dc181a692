/** What a manifest holds: workloads with a pod template, and ServiceAccounts. */
import * as z from 'zod/mini'
import type { Key } from '../injector/changes.ts'
import type { ServiceAccountAnnotations } from '../injector/plan.ts'
import { accountNameOf, mistakeOf } from '../injector/pod.ts'

export interface Workload {
  /** `Deployment/orders` */
  readonly label: string
  readonly namespace: string | undefined
  /** Where the pod template is in the document. */
  readonly path: readonly Key[]
  readonly template: unknown
  readonly serviceAccountName: string
  /** The workload's own annotations, which may opt out. */
  readonly annotations: Readonly<Record<string, unknown>>
  /** What is wrong with its metadata. */
  readonly mistakes: readonly string[]
}

export interface ServiceAccount {
  readonly name: string
  readonly namespace: string | undefined
  readonly annotations: ServiceAccountAnnotations
}

const SPEC_TEMPLATE = ['spec', 'template']

/** API group and kind → where the pod template is. */
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

/** The workloads of one document; a List is looked into. */
export function workloadsIn(document: unknown): Workload[] {
  return objectsIn(document, []).flatMap(({ object, path }) => {
    const templatePath = TEMPLATE_PATHS[`${groupOf(object)}/${object.kind}`]
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
      mistakes: parsed.success ? [] : parsed.error.issues.map(mistakeOf),
    }
  })
}

/** The ServiceAccounts of one document. */
export function serviceAccountsIn(document: unknown): ServiceAccount[] {
  return objectsIn(document, []).flatMap(({ object }) => {
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

function objectsIn(document: unknown, path: readonly Key[]): Located[] {
  const parsed = KubernetesObject.safeParse(document)
  if (!parsed.success) return []
  const items = parsed.data['items']
  if (!parsed.data.kind.endsWith('List') || !Array.isArray(items)) {
    return [{ object: parsed.data, path }]
  }
  return items.flatMap((item, index) => objectsIn(item, [...path, 'items', index]))
}

/** The API group: what comes before the slash, nothing for the core. */
function groupOf({ apiVersion }: KubernetesObject): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
}

function accountName(template: unknown): string {
  const spec = member(template, 'spec')
  return accountNameOf({
    serviceAccountName: member(spec, 'serviceAccountName'),
    serviceAccount: member(spec, 'serviceAccount'),
  })
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}
