/** Edits the pod templates of manifests, and reports what was done to each object. */
import { isDeepStrictEqual } from 'node:util'
import type { Pod } from '../../../kubernetes/pod.ts'
import {
  type DocumentProblem,
  findTemplateSyntax,
  type ParsedDocument,
  parseDocuments,
  parseYamlDocument,
  readData,
} from './documents.ts'
import {
  applyEdits,
  DocumentEditor,
  type Edit,
  type Key,
  UneditableError,
} from './edit-document.ts'
import {
  findObjects,
  findServiceAccounts,
  formatPathFlags,
  type KubernetesObject,
  type LocatedObject,
  readName,
  readWorkloads,
  type ServiceAccount,
  type TemplatePath,
  type Workload,
} from './workloads.ts'

export interface ManifestFile {
  readonly name: string
  readonly source: string
}

/** The change to each workload. */
export interface ManifestOperation {
  /** Why an object is skipped whose pods are not changed. */
  readonly skipped: string
  /** Pod templates of kinds that are not known. */
  readonly templatePaths: readonly TemplatePath[]
  /** Returns true if the object is not changed, whatever its pod template is. */
  readonly isOptedOut?: (object: LocatedObject) => boolean
  /** True: objects that cannot be edited are left as they are, with a warning. */
  readonly keepsRejected?: boolean | undefined
  /** Returns why an object with a pod template is never edited. */
  readonly findRefusal?: (object: KubernetesObject) => string | undefined
  /** Returns warnings about a workload itself, outside its pod templates. */
  readonly findWarnings?: (object: LocatedObject, templatePaths: readonly string[]) => string[]
  readonly editPod: (workload: Workload, accounts: readonly ServiceAccount[]) => PodEdit
}

type PodEdit =
  | { readonly kind: EditOutcome; readonly pod: Pod; readonly warnings: readonly string[] }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'rejected'; readonly reasons: readonly string[] }

type EditOutcome = 'injected' | 'uninjected'

export interface EditedManifests {
  readonly files: readonly (ManifestFile & { readonly result: string })[]
  /** Every object, in the order of the input. */
  readonly objects: readonly ObjectReport[]
  /** The pods and pod templates as the operation leaves them, without those that it skips. */
  readonly pods: readonly Pod[]
  /** Why files and objects cannot be edited. Each begins with file and line. */
  readonly problems: readonly string[]
  /** Each begins with file and line. */
  readonly warnings: readonly string[]
}

/** The change that was made to one object of the input. */
export interface ObjectReport {
  readonly file: string
  /** The line on which it begins. */
  readonly line: number
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  /** Absent if the object names none. */
  readonly namespace?: string
  /** True if it has, seems to have or should have a pod template. */
  readonly isWorkload: boolean
  readonly outcome:
    | EditOutcome
    /** The operation would change nothing. */
    | 'unchanged'
    | 'skipped'
    /** The document has a pod template, but its kind is not known to have one there. */
    | 'unsupported'
    | 'rejected'
  /** Why it is not changed. */
  readonly reasons: readonly string[]
  readonly warnings: readonly string[]
}

interface Context extends ManifestOperation {
  readonly accounts: readonly ServiceAccount[]
}

/** One document of a file. */
interface SourceDocument extends ParsedDocument {
  readonly located: readonly LocatedObject[]
  readonly file: string
}

/** A pod template after the operation. */
interface TemplateChange {
  readonly path: readonly Key[]
  readonly pod: Pod
}

/** Edits every workload of the files that is not skipped. Pure; reports all problems together. */
export function editManifests(
  files: readonly ManifestFile[],
  operation: ManifestOperation,
): EditedManifests {
  const parsed = files.map(({ name, source }) =>
    parseDocuments(source).map((each): SourceDocument => ({
      ...each,
      located: findObjects(each.data, []),
      file: name,
    })),
  )
  const accounts = parsed.flat().flatMap(({ located }) => findServiceAccounts(located))
  const context: Context = { ...operation, accounts }
  const results = parsed.map((sources) => sources.map((source) => editDocument(source, context)))
  const documents = results.flat()
  const objects = documents.flatMap((document) => document.objects)
  return {
    files: files.map((file, index) => ({
      ...file,
      result: results[index]?.map(({ text }) => text).join('') ?? '',
    })),
    objects,
    pods: documents.flatMap(({ pods }) => pods),
    problems: documents.flatMap(({ problems }) => problems),
    warnings: objects.flatMap((object) =>
      [...object.warnings, ...(isKept(object, operation) ? object.reasons : [])].map(
        (warning) => `${formatPlace(object)}: warning: ${warning}`,
      ),
    ),
  }
}

function isKept({ outcome }: ObjectReport, { keepsRejected = false }: ManifestOperation): boolean {
  return keepsRejected && outcome === 'rejected'
}

/** Returns `orders.yaml:12: Deployment/orders`. */
export function formatPlace({ file, line, kind, name }: ObjectReport): string {
  return `${file}:${line}: ${kind}${name === '' ? '' : `/${name}`}`
}

interface DocumentResult {
  readonly text: string
  readonly objects: readonly ObjectReport[]
  readonly pods: readonly Pod[]
  readonly problems: readonly string[]
}

const UNREAD = { objects: [], pods: [] } as const

/** Edits the objects of a document. One that cannot be edited has a problem, and is left as it is. */
function editDocument(source: SourceDocument, context: Context): DocumentResult {
  const { text, data, located, document, file } = source
  if (source.problem !== undefined) {
    return { ...UNREAD, text, problems: [formatDocumentProblem(file, source.problem)] }
  }
  const editor = new DocumentEditor(document, text)
  const results = located.map((each) => editObject(each, source, editor, context))
  const edits = results.flatMap((result) => result.edits)
  const changes = results.flatMap((result) => result.changes)
  const edited = applyEdits(text, edits)
  if (edits.length > 0 && !parsesTo(edited, applyChanges(data, changes))) {
    const message = 'it cannot be edited safely. Fix: write it in plain block style without aliases'
    const place = String(source.firstLine)
    return { ...UNREAD, text, problems: [formatDocumentProblem(file, { place, message })] }
  }
  const objects = results.map(({ report }) => report)
  const problems = objects
    .filter((object) => object.outcome === 'rejected' && !isKept(object, context))
    .flatMap((object) => object.reasons.map((reason) => `${formatPlace(object)}: ${reason}`))
  const template = problems.length > 0 ? findTemplateSyntax(text, source.firstLine) : undefined
  return {
    text: edited,
    objects,
    pods: changes.map(({ pod }) => pod),
    problems: template === undefined ? problems : [formatDocumentProblem(file, template)],
  }
}

/** Formats `orders.yaml:7:3: …`. */
function formatDocumentProblem(file: string, { place, message }: DocumentProblem): string {
  return `${file}:${place}: ${message}`
}

interface ObjectResult {
  readonly report: ObjectReport
  readonly edits: readonly Edit[]
  readonly changes: readonly TemplateChange[]
}

function editObject(
  located: LocatedObject,
  source: SourceDocument,
  editor: DocumentEditor,
  context: Context,
): ObjectResult {
  const { object } = located
  const about = describeObject(located, source)
  const workloads = readWorkloads(located, context.templatePaths)
  const templatePaths =
    workloads?.map(({ path }) => path.slice(located.path.length).join('.')) ?? []
  const hasTemplate = templatePaths.length > 0
  const pathFlags = hasTemplate ? [] : formatPathFlags(object)
  const isWorkload = hasTemplate || pathFlags.length > 0
  const ownWarnings = context.findWarnings?.(located, templatePaths) ?? []
  const leave = (outcome: ObjectReport['outcome'], ...reasons: string[]): ObjectResult => ({
    report: { ...about, isWorkload, outcome, reasons, warnings: ownWarnings },
    edits: [],
    changes: [],
  })
  if (context.isOptedOut?.(located) === true) return leave('skipped', context.skipped)
  const refusal = isWorkload ? context.findRefusal?.(object) : undefined
  if (refusal !== undefined) return leave(workloads ? 'rejected' : 'unsupported', refusal)
  if (workloads === undefined || !hasTemplate) {
    const problem = workloads
      ? 'no pod template at the given path'
      : `unsupported kind ${object.kind}`
    return pathFlags.length === 0
      ? leave('skipped', workloads ? 'no pod template' : `kind ${object.kind}`)
      : leave('unsupported', `${problem}. Fix: ${pathFlags.join(' ')}`)
  }
  const results = workloads.map((workload, index) => ({
    workload,
    edit: editWorkload(workload, templatePaths[index] ?? '', context),
  }))
  const reasons = results.flatMap(({ edit }) => (edit.kind === 'rejected' ? edit.reasons : []))
  if (reasons.length > 0) return leave('rejected', ...reasons)
  const edited = results.flatMap(({ workload: { path, template }, edit }) =>
    'pod' in edit ? [{ ...edit, path, template }] : [],
  )
  const [first] = edited
  if (first === undefined) return leave('skipped', context.skipped)
  try {
    const edits = edited.flatMap(({ path, template, pod }) => editor.findEdits(path, template, pod))
    const outcome = edits.length === 0 ? 'unchanged' : first.kind
    const warnings = [...ownWarnings, ...edited.flatMap((result) => result.warnings)]
    return {
      report: { ...about, isWorkload, outcome, reasons: [], warnings },
      edits,
      changes: edited,
    }
  } catch (cause) {
    if (!(cause instanceof UneditableError)) throw cause
    // The line of the change, which is not the object's line.
    const place = `in line ${source.findLine(cause.node)}`
    return leave(
      'rejected',
      `it cannot be edited safely: ${cause.message} ${place}. Fix: ${cause.fix}`,
    )
  }
}

function describeObject(located: LocatedObject, { file, document, findLine }: SourceDocument) {
  const { object, path } = located
  return {
    file,
    line: findLine(path.length === 0 ? document.contents : document.getIn(path, true)),
    apiVersion: object.apiVersion,
    kind: object.kind,
    ...readName(located),
  }
}

function editWorkload(
  workload: Workload,
  templatePath: string,
  { editPod, accounts }: Context,
): PodEdit {
  const { template, problems } = workload
  if (problems.length > 0) return { kind: 'rejected', reasons: problems }
  if (typeof template !== 'object' || template === null || Array.isArray(template)) {
    const [problem, hint] =
      template == null
        ? ['is missing', '; for a patch of kustomize, pass the output of kubectl kustomize']
        : ['must be an object', '']
    const reason = `${templatePath} ${problem}. Fix: write the pod template there, with metadata and spec${hint}`
    return { kind: 'rejected', reasons: [reason] }
  }
  return editPod(workload, accounts)
}

/** Returns true if the text is one document with the value: a safeguard against wrong edits. */
function parsesTo(text: string, value: unknown): boolean {
  return isDeepStrictEqual(readData(parseYamlDocument(text)).data, value)
}

/** Returns the document's value with the edited pods. */
function applyChanges(data: unknown, changes: readonly TemplateChange[]): unknown {
  return changes.reduce((value, { path, pod }) => {
    return replaceAt(value, path, JSON.parse(JSON.stringify(pod)))
  }, structuredClone(data))
}

function replaceAt(root: unknown, path: readonly Key[], value: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (typeof root === 'object' && root !== null) {
    Reflect.set(root, key, replaceAt(Reflect.get(root, key), rest, value))
  }
  return root
}
