/** Reads the Kubernetes objects that decide which federated credentials must exist. */
import { LineCounter } from 'yaml'
import * as z from 'zod/mini'
import { type IdentityEntry, parseIdentities } from '../../sidecar/config/identities-file.ts'
import { parsePod, type Pod, getServiceAccountName } from '../../cluster/injector/pod.ts'
import { findTemplateSyntax, locateError, parseDocuments } from '../inject/manifests/documents.ts'
import type { ManifestFile } from '../inject/manifests/edit-manifests.ts'
import { formatProblem } from '../../lib/errors.ts'
import { parseJsonObject } from '../../lib/json.ts'
import { isDnsLabel, isDnsSubdomain } from '../../lib/grammars.ts'
import {
  getApiGroup,
  findObjects,
  formatPathFlags,
  readWorkloads,
  type TemplatePath,
  type Workload,
} from '../inject/manifests/workloads.ts'
import { createReport, type Finding, type Report } from './finding.ts'

export interface ServiceAccountObject {
  readonly namespace: string
  readonly name: string
  readonly annotations: Readonly<Record<string, string>>
}

export interface WorkloadObject {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Where the pod template is, such as `spec.template`; empty for a Pod. */
  readonly templatePath: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** The labels in its selector, which its pods must keep. */
  readonly selector: Readonly<Record<string, string>>
  readonly template: Pod
}

/** A ConfigMap with an identities file. */
export interface IdentitiesConfigMap {
  readonly namespace: string
  readonly name: string
  readonly entries: readonly IdentityEntry[]
}

/** An object of another kind that a migration reads. */
export interface OtherObject {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly annotations: Readonly<Record<string, string>>
  readonly spec: unknown
}

export interface ClusterObjects {
  readonly serviceAccounts: readonly ServiceAccountObject[]
  readonly workloads: readonly WorkloadObject[]
  readonly configMaps: readonly IdentitiesConfigMap[]
  /** Namespaces whose label asks for injection of all their pods. */
  readonly injectedNamespaces: ReadonlySet<string>
  /** The objects of the API group aadpodidentity.k8s.io. */
  readonly podIdentities: readonly OtherObject[]
}

/** Formats `ServiceAccount shop/orders`. */
export function formatObject(
  kind: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): string {
  return `${kind} ${namespace}/${name}`
}

/** Returns the name of the ServiceAccount that the workload's pods have. */
export function findAccountName({ template }: WorkloadObject): string {
  return getServiceAccountName(template.spec)
}

const withFallback = z.catch

const Texts = withFallback(z.record(z.string(), withFallback(z.string(), '')), {})

const KubernetesObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.optional(z.string()),
    generateName: z.optional(z.string()),
    namespace: z.optional(z.string()),
    labels: Texts,
    annotations: Texts,
    ownerReferences: withFallback(
      z.array(z.looseObject({ kind: z.string(), name: z.string(), controller: z.unknown() })),
      [],
    ),
  }),
  data: withFallback(z.record(z.string(), z.unknown()), {}),
  spec: z.optional(z.unknown()),
})

const WithSelector = z.object({ selector: z.object({ matchLabels: Texts }) })

interface ParsedObject extends z.infer<typeof KubernetesObject> {
  readonly place: string
  readonly workloads: readonly Workload[]
}

/** An identities file needs no tenants where the ServiceAccount names one. */
const IDENTITY_DEFAULTS = { tenantId: 'from-the-service-account', tokenFile: '/default' }

export interface ReadOptions {
  /** The namespace of objects that name none. */
  readonly namespace: string | undefined
  /** Pod templates of kinds that are not known. */
  readonly templatePaths?: readonly TemplatePath[]
}

/** Reads the objects of all files. Findings name what cannot be read. */
export async function readClusterObjects(
  files: readonly ManifestFile[],
  { namespace, templatePaths = [] }: ReadOptions,
): Promise<{ readonly objects: ClusterObjects; readonly findings: Finding[] }> {
  const findings: Finding[] = []
  const report = createReport(findings)
  const parsed = files.flatMap((file) => parseFile(file, templatePaths, report))
  const located = parsed.flatMap((object) => {
    const own = locate(object, namespace, report)
    return own === undefined ? [] : [{ ...own, object }]
  })
  const keys = new Set(located.map(({ object, ...own }) => formatObject(object.kind, own)))
  const objects = {
    serviceAccounts: located
      .filter(({ object }) => object.apiVersion === 'v1' && object.kind === 'ServiceAccount')
      .map(({ object, ...own }) => ({ ...own, annotations: object.metadata.annotations })),
    workloads: located
      // Replicas of a workload that is in the input as well say nothing new.
      .filter(
        ({ object, namespace: space }) =>
          !object.metadata.ownerReferences.some(
            ({ controller, kind, name }) =>
              controller === true && keys.has(formatObject(kind, { namespace: space, name })),
          ),
      )
      .flatMap(({ object, ...own }) => readWorkload(object, own, report)),
    configMaps: (
      await Promise.all(located.map(({ object, ...own }) => readConfigMap(object, own, report)))
    ).flat(),
    injectedNamespaces: new Set(
      parsed
        .filter(
          ({ apiVersion, kind, metadata }) =>
            apiVersion === 'v1' &&
            kind === 'Namespace' &&
            metadata.labels['wimds.io/inject'] === 'true',
        )
        .map(({ metadata }) => metadata.name ?? ''),
    ),
    podIdentities: located
      .filter(({ object }) => getApiGroup(object) === 'aadpodidentity.k8s.io')
      .map(({ object, ...own }) => ({
        ...own,
        kind: object.kind,
        annotations: object.metadata.annotations,
        spec: object.spec,
      })),
  }
  return { objects, findings }
}

function parseFile(
  { name, source }: ManifestFile,
  templatePaths: readonly TemplatePath[],
  report: Report,
): ParsedObject[] {
  // Lists of a whole cluster are JSON, which the YAML parser takes long for.
  const json = parseJsonObject(source)
  const parse = (document: unknown, place: string) =>
    parseObjects(document, place, templatePaths, report)
  if (json !== undefined) return parse(json, name)
  const lines = new LineCounter()
  return parseDocuments(source, lines).flatMap(({ document, data }, index) => {
    const place = index === 0 ? name : `${name}, document ${index + 1}`
    const [error] = document.errors
    if (error === undefined) return parse(data, place)
    const template = findTemplateSyntax(source, document, lines)
    if (template !== undefined) {
      report('error', `${name}:${template.line}`, template.problem)
      return []
    }
    const { line, col, reason, fix } = locateError(error, document, lines)
    report('error', `${name}:${line}:${col}`, `${reason}. Fix: ${fix}`)
    return []
  })
}

function parseObjects(
  document: unknown,
  place: string,
  templatePaths: readonly TemplatePath[],
  report: Report,
): ParsedObject[] {
  return findObjects(document, []).flatMap((located) => {
    const parsed = KubernetesObject.safeParse(located.object)
    if (!parsed.success) return []
    const workloads = readWorkloads({ ...located, path: [] }, templatePaths)
    if (workloads === undefined) reportTemplates(parsed.data, place, report)
    return [{ ...parsed.data, place, workloads: workloads ?? [] }]
  })
}

/** Warns of pod templates of a kind that is not known. */
function reportTemplates(
  object: z.infer<typeof KubernetesObject>,
  place: string,
  report: Report,
): void {
  const flags = formatPathFlags(object)
  if (flags.length === 0) return
  const label = `${object.kind} ${JSON.stringify(object.metadata.name ?? '')} (${place})`
  report(
    'warning',
    label,
    `is of a kind that is not known, and was not read. Fix: ${flags.join(' ')}`,
  )
}

interface Name {
  readonly namespace: string
  readonly name: string
}

/** Kinds that have to be in a namespace for a subject to be known. */
function isRelevant(object: ParsedObject): boolean {
  const { kind, data } = object
  return (
    kind === 'ServiceAccount' ||
    (kind === 'ConfigMap' && 'identities.yaml' in data) ||
    getApiGroup(object) === 'aadpodidentity.k8s.io' ||
    object.workloads.length > 0
  )
}

function locate(
  object: ParsedObject,
  defaultNamespace: string | undefined,
  report: Report,
): Name | undefined {
  if (!isRelevant(object)) return undefined
  const { place, kind, metadata } = object
  const name = metadata.name ?? metadata.generateName ?? ''
  const namespace = metadata.namespace ?? defaultNamespace
  const label = `${kind} ${JSON.stringify(name)} (${place})`
  if (namespace === undefined) {
    report(
      'error',
      label,
      'has no namespace, which is a part of the subject. Fix: set metadata.namespace, or pass --namespace',
    )
    return undefined
  }
  // A template that was not rendered, or text that is meant to break out of the output.
  if (!isDnsLabel(namespace) || !isDnsSubdomain(name.replace(/-$/, ''))) {
    report('error', label, `has no valid name and namespace (${JSON.stringify(namespace)})`)
    return undefined
  }
  return { namespace, name }
}

function readWorkload(object: ParsedObject, own: Name, report: Report): WorkloadObject[] {
  return object.workloads.flatMap(({ template, path }) => {
    const problems: string[] = []
    const pod = parsePod(template, problems)
    for (const problem of problems) report('error', formatObject(object.kind, own), problem)
    if (pod === undefined) return []
    const { labels, annotations } = object.metadata
    const templatePath = path.join('.')
    const selector = WithSelector.safeParse(object.spec).data?.selector.matchLabels ?? {}
    return { ...own, kind: object.kind, templatePath, labels, annotations, selector, template: pod }
  })
}

async function readConfigMap(
  object: ParsedObject,
  own: Name,
  report: Report,
): Promise<IdentitiesConfigMap[]> {
  const text = object.kind === 'ConfigMap' ? object.data['identities.yaml'] : undefined
  if (typeof text !== 'string') return []
  const { entries, problems } = await parseIdentities(text, IDENTITY_DEFAULTS)
  for (const problem of problems) {
    report('error', formatObject('ConfigMap', own), `identities.yaml:${formatProblem(problem)}`)
  }
  return [{ ...own, entries }]
}
