/** Reads the Kubernetes objects that decide which federated credentials must exist. */
import { parseIdentities } from '../../broker/config/identities-file.ts'
import { parsePod, type Pod } from '../../kubernetes/pod.ts'
import { parseDocuments } from '../inject/manifests/documents.ts'
import type { ManifestFile } from '../manifest-files.ts'
import { formatProblem } from '../../lib/errors.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { isDnsLabel, isDnsSubdomain } from '../../lib/grammars.ts'
import {
  findObjects,
  formatPathFlags,
  getMember,
  getName,
  type LocatedObject,
  readWorkloads,
  type TemplatePath,
  type Workload,
} from '../inject/manifests/workloads.ts'
import type { Report } from './finding.ts'

interface Name {
  readonly namespace: string
  readonly name: string
}

/** An object of the input. */
export interface ClusterObject extends Name {
  readonly kind: string
  /** The file, with the number of the document in it if that is not the first. */
  readonly place: string
  /** Its kind, name and file. */
  readonly label: string
  readonly located: LocatedObject
  /** True if the object was read from a cluster, which has given it a uid. */
  readonly isStored: boolean
  readonly annotations: Readonly<Record<string, string>>
  readonly workloads: readonly Workload[]
  /** The identities file of a ConfigMap. */
  readonly identities: unknown
}

/** A pod template of an object. */
export interface WorkloadObject extends ClusterObject {
  readonly template: Pod
}

export type ClusterObjects = Awaited<ReturnType<typeof readClusterObjects>>

/** Formats `ServiceAccount shop/orders`. */
export function formatObject(kind: string, { namespace, name }: Name): string {
  return `${kind} ${namespace}/${name}`
}

/** An identities file needs no tenants where the ServiceAccount names one. */
const IDENTITY_DEFAULTS = { tenantId: 'from-the-service-account', tokenFile: '/default' }

export interface ReadOptions {
  /** The namespace of objects that name none. */
  readonly namespace: string | undefined
  /** The places of pod templates in kinds that wimds does not know. */
  readonly templatePaths?: readonly TemplatePath[]
}

/** Reads the objects of all files. Reports what cannot be read. */
export async function readClusterObjects(
  files: readonly ManifestFile[],
  { namespace, templatePaths = [] }: ReadOptions,
  report: Report,
) {
  const all = files.flatMap((file) => parseFile(file, templatePaths, report))
  const named = all
    .filter(isRelevant)
    .map((object) => ({ ...object, namespace: object.namespace || (namespace ?? '') }))
    .filter((object) => checkName(object, report))
  const names = new Set(named.map((object) => formatObject(object.kind, object)))
  // An old ReplicaSet of a Deployment may have a ServiceAccount that is no longer used.
  const isReplica = ({ located, namespace: space }: ClusterObject) =>
    located.metadata.ownerReferences.some(
      ({ controller, kind, name }) =>
        controller === true && names.has(formatObject(kind, { namespace: space, name })),
    )
  const workloads = named
    .filter((object) => !isReplica(object))
    .flatMap((object) => readWorkload(object, report))
  const namespaces = all.filter((object) => isCore(object, 'Namespace'))
  const configMaps = await Promise.all(named.map((object) => readConfigMap(object, report)))
  return {
    serviceAccounts: named.filter((object) => isCore(object, 'ServiceAccount')),
    workloads,
    configMaps: configMaps.flat(),
    /** Namespaces that were read from a cluster. A manifest may lack labels that its Namespace has there. */
    storedNamespaces: new Set(
      namespaces.filter(({ isStored }) => isStored).map(({ name }) => name),
    ),
    /** Namespaces whose label asks for injection of all their pods. */
    injectedNamespaces: new Set(
      namespaces
        .filter(({ located }) => located.metadata.labels['wimds.io/inject'] === 'true')
        .map(({ name }) => name),
    ),
  }
}

function isCore({ located: { object } }: ClusterObject, kind: string): boolean {
  return object.apiVersion === 'v1' && object.kind === kind
}

function parseFile(
  { name, source }: ManifestFile,
  templatePaths: readonly TemplatePath[],
  report: Report,
): ClusterObject[] {
  // The list of a whole cluster is JSON, for which the YAML parser takes long.
  const json = parseJsonObject(source)
  const parse = (document: unknown, place: string) =>
    parseObjects(document, place, templatePaths, report)
  if (json !== undefined) return parse(json, name)
  return parseDocuments(source).flatMap(({ data, problem }, index) =>
    problem === undefined
      ? parse(data, index === 0 ? name : `${name}, document ${index + 1}`)
      : report.leaveOut(undefined, `${name}:${problem.place}`, problem.message),
  )
}

function parseObjects(
  document: unknown,
  place: string,
  templatePaths: readonly TemplatePath[],
  report: Report,
): ClusterObject[] {
  return findObjects(document, []).map((located) => {
    const { object, metadata } = located
    const { kind } = object
    const name = getName(located)
    const label = `${kind} ${JSON.stringify(name)} (${place})`
    const workloads = readWorkloads(located, templatePaths)
    const { namespace, annotations } = metadata
    const flags = workloads === undefined ? formatPathFlags(object) : []
    if (flags.length > 0) {
      const problem = 'is of an unknown kind and was not read'
      report.keep(namespace)
      report.warning(label, problem, flags.join(' '))
    }
    const identities = kind === 'ConfigMap' && getMember(object['data'], 'identities.yaml')
    const isStored = getMember(object['metadata'], 'uid') !== undefined
    const own = { located, kind, namespace: namespace ?? '', name, place, label, annotations }
    return { ...own, isStored, workloads: workloads ?? [], identities }
  })
}

/** Returns true for an object that the plan reads. It must have a namespace, which is a part of the subject. */
function isRelevant({ kind, identities, workloads }: ClusterObject): boolean {
  return kind === 'ServiceAccount' || typeof identities === 'string' || workloads.length > 0
}

/** Returns whether the names are valid. Reports an unrendered template, or a text that could break out of the output. */
function checkName({ namespace, name, label }: ClusterObject, report: Report): boolean {
  const isValid = isDnsLabel(namespace) && isDnsSubdomain(name.replace(/-$/, ''))
  if (namespace === '') {
    report.leaveOut(
      undefined,
      label,
      'has no namespace, which is a part of the subject',
      'set metadata.namespace, or pass --namespace',
    )
  } else if (!isValid) {
    report.leaveOut(
      undefined,
      label,
      `has no valid name and namespace (${JSON.stringify(namespace)})`,
    )
  }
  return isValid
}

function readWorkload(object: ClusterObject, report: Report): WorkloadObject[] {
  return object.workloads.flatMap(({ template }) => {
    const problems: string[] = []
    const pod = parsePod(template, problems)
    for (const problem of problems) {
      report.leaveOut(object.namespace, formatObject(object.kind, object), problem)
    }
    return pod === undefined ? [] : { ...object, template: pod }
  })
}

/** Returns a ConfigMap with the entries of its identities file. */
async function readConfigMap(object: ClusterObject, report: Report) {
  if (typeof object.identities !== 'string') return []
  const { entries, problems } = await parseIdentities(object.identities, IDENTITY_DEFAULTS)
  for (const problem of problems) {
    const rejected = formatProblem({ ...problem, fix: undefined })
    const label = formatObject('ConfigMap', object)
    report.leaveOut(object.namespace, label, `identities.yaml:${rejected}`, problem.fix)
  }
  return [{ ...object, entries }]
}
