/** Finds the objects of a manifest, and their pod templates. */
import * as z from 'zod/mini'
import { getServiceAccountName } from '../../../kubernetes/pod.ts'
import type { Key } from './edit-document.ts'

/** A pod template of an object. */
export type Workload = NonNullable<ReturnType<typeof readWorkloads>>[number]

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

/** The path of the pod template in objects of a kind. */
export interface TemplatePath {
  readonly kind: string
  /** The API group; undefined for every group. The kinds in `TEMPLATE_PATHS` keep their paths. */
  readonly group: string | undefined
  /** The keys of the path. `*` means every member of a list or a map. */
  readonly keys: readonly string[]
}

/** A Rollout with a `workloadRef` has no template: its Deployment has. */
const ROLLOUT: TemplatePath = { kind: 'Rollout', group: 'argoproj.io', keys: SPEC_TEMPLATE }

const KubernetesObject = z.looseObject({ apiVersion: z.string(), kind: z.string() })
export type KubernetesObject = z.infer<typeof KubernetesObject>

/** The API server rejects a value of another type. Here such a value counts as missing. */
const Text = z.catch(z.optional(z.string()), undefined)
const Texts = z.catch(z.record(z.string(), z.catch(z.string(), '')), {})
const Owner = z.object({ kind: z.string(), name: z.string(), controller: z.unknown() })

const Metadata = z.object({
  name: Text,
  generateName: Text,
  namespace: Text,
  annotations: Texts,
  labels: Texts,
  ownerReferences: z.catch(z.array(Owner), []),
})

/** Returns a workload for each pod template of the object; undefined for a kind without a known path. */
export function readWorkloads(
  { object, value, path }: LocatedObject,
  templatePaths: readonly TemplatePath[],
) {
  return findTemplatePaths(object, templatePaths)?.map((keys) => ({
    /** The path in the document. */
    path: [...path, ...keys],
    /** The path in the object, such as `spec.template`; empty for a Pod. */
    templatePath: keys.join('.'),
    template: keys.reduce<unknown>(getMember, value),
  }))
}

/** Returns the object's name, or else its `generateName`. */
export function getName({ metadata: { name, generateName } }: LocatedObject): string {
  return name ?? generateName ?? ''
}

function findTemplatePaths(
  object: KubernetesObject,
  templatePaths: readonly TemplatePath[],
): (readonly Key[])[] | undefined {
  const group = getApiGroup(object)
  const known = TEMPLATE_PATHS[`${group}/${object.kind}`]
  if (known !== undefined) return [known]
  const given = [ROLLOUT, ...templatePaths].filter(
    (each) => each.kind === object.kind && (each.group ?? group) === group,
  )
  return given.length === 0 ? undefined : given.flatMap(({ keys }) => expandPath(object, keys))
}

/** Replaces each `*` of the keys by the names of the members. Returns the paths that exist. */
function expandPath(value: unknown, keys: readonly string[]): Key[][] {
  const [key, ...rest] = keys
  if (value === undefined || value === null) return []
  if (key === undefined) return [[]]
  const names = key === '*' && typeof value === 'object' ? Object.keys(value) : [key]
  return names.flatMap((name) =>
    expandPath(getMember(value, name), rest).map((path) => [
      Array.isArray(value) ? Number(name) : name,
      ...path,
    ]),
  )
}

/** The maximum depth of the search. No known kind has a deeper pod template. */
const MAX_DEPTH = 8

/** Returns the flag for each pod template that an object of an unknown kind seems to have. */
export function formatPathFlags(object: KubernetesObject): string[] {
  const group = getApiGroup(object)
  const kind = group === '' ? object.kind : `${object.kind}.${group}`
  return findTemplateKeys(object).map((keys) => `--path ${kind}=${keys.join('.')}`)
}

/** Returns the keys, as in a `TemplatePath`, of each member that looks like a pod template. */
function findTemplateKeys(object: KubernetesObject): (readonly string[])[] {
  const found = new Map<string, readonly string[]>()
  const search = (value: unknown, keys: readonly string[]) => {
    if (typeof value !== 'object' || value === null || keys.length > MAX_DEPTH) return
    const containers = getMember(getMember(value, 'spec'), 'containers')
    if (keys.length > 0 && Array.isArray(containers)) found.set(keys.join('.'), keys)
    else if (Array.isArray(value)) for (const each of value) search(each, [...keys, '*'])
    else for (const [key, each] of Object.entries(value)) search(each, [...keys, key])
  }
  search(object, [])
  return [...found.values()]
}

export interface LocatedObject {
  readonly object: KubernetesObject
  readonly metadata: z.infer<typeof Metadata>
  /** The object as it is written. In a list of one kind it may have no kind. */
  readonly value: unknown
  readonly path: readonly Key[]
}

/**
 * Returns the objects of one document. Returns the items of a List instead of the List. An item without kind or API version
 * gets them from `defaults`.
 */
export function findObjects(
  value: unknown,
  path: readonly Key[],
  defaults: Partial<KubernetesObject> = {},
): LocatedObject[] {
  if (typeof value !== 'object' || value === null) return []
  const parsed = KubernetesObject.safeParse({ ...defaults, ...value })
  if (!parsed.success) return []
  const { apiVersion, kind, items } = parsed.data
  if (!kind.endsWith('List') || !Array.isArray(items)) {
    const metadata = Metadata.safeParse(parsed.data['metadata']).data ?? Metadata.parse({})
    return [{ object: parsed.data, metadata, value, path }]
  }
  // The API server leaves both out in the items of a DeploymentList. kubectl adds them in the same way.
  const ofItems = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) }
  return items.flatMap((item, index) => findObjects(item, [...path, 'items', index], ofItems))
}

/** Returns the API group: the part before the slash; empty for the core group. */
export function getApiGroup({ apiVersion }: { readonly apiVersion: string }): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
}

/** Returns the name of the ServiceAccount of a template's pods. */
export function readAccountName(template: unknown): string {
  const spec = getMember(template, 'spec')
  return getServiceAccountName({
    serviceAccountName: getMember(spec, 'serviceAccountName'),
    serviceAccount: getMember(spec, 'serviceAccount'),
  })
}

export function getMember(value: unknown, key: Key): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}
