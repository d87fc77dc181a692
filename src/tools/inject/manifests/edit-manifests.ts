/**
 * Edits the pod templates of manifests, and reports what was done to each object. Comments survive: the file is
 * edited as text, at the places that `yaml-edits.ts` finds.
 */
import { isDeepStrictEqual } from 'node:util'
import { LineCounter, parseDocument, type YAMLError } from 'yaml'
import { scrub, scrubAndTruncate } from '../../../lib/secret.ts'
import type { Pod } from '../../../cluster/injector/pod.ts'
import {
  findTemplateSyntax,
  locateError,
  type ParsedDocument,
  parseDocuments,
  readData,
  getOffset,
} from './documents.ts'
import { applyEdits, findLineEnd, type TextEdit } from './text-edits.ts'
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
import { findEdits } from './yaml-edits.ts'
import { createYamlDocument, type Key, UneditableError, type YamlDocument } from './yaml-nodes.ts'

export interface ManifestFile {
  readonly name: string
  readonly source: string
}

/** The change to each workload. */
export interface ManifestOperation {
  /** Why an object is skipped whose pods are left alone. */
  readonly skipped: string
  /** Pod templates of kinds that are not known. */
  readonly templatePaths: readonly TemplatePath[]
  /** Returns true if the object is left alone, whatever its pod template is. */
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
  /** Empty, as the name, for a document that is no object. */
  readonly kind: string
  readonly name: string
  /** Absent if the object names none. */
  readonly namespace?: string
  /** True if it has, seems to have or should have a pod template. */
  readonly isWorkload: boolean
  readonly outcome:
    | EditOutcome
    /** It is already as the operation would leave it. */
    | 'unchanged'
    | 'skipped'
    /** It has a pod template where its kind is not known to have one. */
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
  readonly file: ManifestFile
  readonly lines: LineCounter
}

/** A workload's pod template before and after. */
interface TemplateChange {
  readonly path: readonly Key[]
  readonly template: unknown
  readonly pod: Pod
}

/** Edits every workload of the files that is not skipped. Pure; reports all problems together. */
export function editManifests(
  files: readonly ManifestFile[],
  operation: ManifestOperation,
): EditedManifests {
  const parsed = files.map((file) => {
    const lines = new LineCounter()
    return parseDocuments(file.source, lines).map((each): SourceDocument => ({
      ...each,
      located: findObjects(each.data, []),
      file,
      lines,
    }))
  })
  const accounts = parsed.flat().flatMap(({ located }) => findServiceAccounts(located))
  const context: Context = { ...operation, accounts }
  const results = parsed.map((sources) => sources.map((source) => editDocument(source, context)))
  const documents = results.flat()
  const objects = documents.flatMap((document) => document.objects)
  return {
    files: files.map((file, index) => ({
      ...file,
      result: applyEdits(file.source, results[index]?.flatMap(({ edits }) => edits) ?? []),
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
  const object = [kind, name].filter((part) => part !== '').join('/')
  return `${file}:${line}: ${object === '' ? 'document' : object}`
}

interface DocumentResult {
  readonly objects: readonly ObjectReport[]
  readonly edits: readonly TextEdit[]
  readonly pods: readonly Pod[]
  readonly problems: readonly string[]
}

/** Edits the objects of a document. One that cannot be edited has a problem and no edits. */
function editDocument(source: SourceDocument, context: Context): DocumentResult {
  const [error] = source.document.errors
  if (error !== undefined) {
    const problem = describeTemplate(source) ?? formatParseError(source, error)
    return { objects: [], edits: [], pods: [], problems: [problem] }
  }
  if (source.located.length === 0 && source.data !== null) return skipDocument(source)
  const yaml = createYamlDocument(source.document, source.file.source)
  const results = source.located.map((each) => editObject(each, { ...source, yaml }, context))
  const edits = results.flatMap((result) => result.edits)
  const changes = results.flatMap((result) => result.changes)
  const isSafe = edits.length === 0 || verifyEdits(source, edits, changes)
  const objects = results.map(({ report, edits: own }) =>
    isSafe || own.length === 0 ? report : { ...report, ...UNSAFE },
  )
  const problems = objects
    .filter((object) => object.outcome === 'rejected' && !isKept(object, context))
    .flatMap((object) => object.reasons.map((reason) => `${formatPlace(object)}: ${reason}`))
  const template = problems.length > 0 ? describeTemplate(source) : undefined
  return {
    objects,
    edits: isSafe ? edits : [],
    pods: isSafe ? changes.map(({ pod }) => pod) : [],
    problems: template === undefined ? problems : [template],
  }
}

/** Reports a document that is no object, such as one without a kind. */
function skipDocument({ file, data, document, lines }: SourceDocument): DocumentResult {
  const { line } = lines.linePos(getOffset(document.contents))
  const isEmptyList = typeof data === 'object' && data !== null && 'items' in data && 'kind' in data
  const report: ObjectReport = {
    file: file.name,
    line,
    apiVersion: '',
    kind: '',
    name: '',
    isWorkload: false,
    outcome: 'skipped',
    reasons: [isEmptyList ? 'an empty list' : 'no apiVersion and kind'],
    warnings: [],
  }
  return { objects: [report], edits: [], pods: [], problems: [] }
}

const UNSAFE = {
  outcome: 'rejected',
  reasons: ['it cannot be edited safely. Fix: write it in plain block style'],
} as const

interface ObjectResult {
  readonly report: ObjectReport
  readonly edits: readonly TextEdit[]
  readonly changes: readonly TemplateChange[]
}

function editObject(
  located: LocatedObject,
  source: SourceDocument & { readonly yaml: YamlDocument },
  context: Context,
): ObjectResult {
  const { object } = located
  const about = describeObject(located, source)
  const workloads = readWorkloads(located, context.templatePaths)
  const templatePaths =
    workloads?.map(({ path }) => path.slice(located.path.length).join('.')) ?? []
  const pathFlags = workloads === undefined ? formatPathFlags(object) : []
  const isWorkload = templatePaths.length > 0 || pathFlags.length > 0
  const ownWarnings = context.findWarnings?.(located, templatePaths) ?? []
  const leave = (outcome: ObjectReport['outcome'], ...reasons: string[]): ObjectResult => ({
    report: { ...about, isWorkload, outcome, reasons, warnings: ownWarnings },
    edits: [],
    changes: [],
  })
  if (context.isOptedOut?.(located) === true) return leave('skipped', context.skipped)
  const refusal = isWorkload ? context.findRefusal?.(object) : undefined
  if (refusal !== undefined) return leave(workloads ? 'rejected' : 'unsupported', refusal)
  if (workloads === undefined) {
    return pathFlags.length === 0
      ? leave('skipped', `kind ${object.kind}`)
      : leave('unsupported', `unsupported kind ${object.kind}. Fix: ${pathFlags.join(' ')}`)
  }
  if (workloads.length === 0) return leave('skipped', 'no pod template')
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
    const edits = edited.flatMap(({ path, template, pod }) =>
      findEdits(source.yaml, path, template, pod),
    )
    const outcome = edits.length === 0 ? 'unchanged' : first.kind
    const warnings = [...ownWarnings, ...edited.flatMap((result) => result.warnings)]
    return {
      report: { ...about, isWorkload, outcome, reasons: [], warnings },
      edits,
      changes: edited,
    }
  } catch (cause) {
    if (!(cause instanceof UneditableError)) throw cause
    return leave('rejected', formatUneditable(cause, source.lines))
  }
}

/** Returns the problem with its own line, which is not that of the object, and the fix. */
function formatUneditable({ message, offset, fix }: UneditableError, lines: LineCounter): string {
  const place = offset === undefined ? '' : ` in line ${lines.linePos(offset).line}`
  return `it cannot be edited safely: ${message}${place}. Fix: ${fix}`
}

function describeObject(located: LocatedObject, { file, document, lines }: SourceDocument) {
  const { object, path } = located
  const node = path.length === 0 ? document.contents : document.getIn(path, true)
  return {
    file: file.name,
    line: lines.linePos(getOffset(node)).line,
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

/** Returns `orders.yaml:7:3: Nested mappings are not allowed …`, the place in the text, and the fix. */
function formatParseError({ file, document, lines }: SourceDocument, error: YAMLError): string {
  const { line, col, reason, fix } = locateError(error, document, lines)
  const excerpt = error.linePos === undefined ? '' : findExcerpt(file.source, line, col)
  const place = excerpt === '' ? '' : ` in ${JSON.stringify(excerpt)}`
  return `${file.name}:${line}:${col}: ${reason}${place}. Fix: ${fix}`
}

const EXCERPT_LENGTH = 80

/** Returns the text around the column; a line with a credential is scrubbed before it is cut. */
function findExcerpt(source: string, line: number, column: number): string {
  const text = source.split('\n', line)[line - 1]?.trimEnd() ?? ''
  const from = Math.max(0, column - EXCERPT_LENGTH / 2)
  const excerpt =
    scrub(text) === text
      ? text.slice(from, from + EXCERPT_LENGTH)
      : scrubAndTruncate(text, EXCERPT_LENGTH)
  return excerpt.trim()
}

/** Returns `orders.yaml:4: an unrendered template: …`; undefined if the document has no template syntax. */
function describeTemplate({ file, document, lines }: SourceDocument): string | undefined {
  const found = findTemplateSyntax(file.source, document, lines)
  return found === undefined ? undefined : `${file.name}:${found.line}: ${found.problem}`
}

/** Returns true if the edited text parses to the edited pods and to nothing else: a safeguard against wrong edits. */
function verifyEdits(
  { document, data, file: { source } }: SourceDocument,
  edits: readonly TextEdit[],
  changes: readonly TemplateChange[],
): boolean {
  const [from, , last] = document.range ?? [0, 0, source.length]
  // If the last value is empty, the line break is not in the document's range.
  const to = source[last - 1] === '\n' ? last : findLineEnd(source, last)
  const shifted = edits.map(({ start, end, text }) => ({
    start: start - from,
    end: end - from,
    text,
  }))
  const reparsed = parseDocument(applyEdits(source.slice(from, to), shifted), { merge: true })
  const actual = readData(reparsed)
  const expected = changes.reduce(
    (value, { path, pod }) => replaceAt(value, path, pod),
    toJson(data),
  )
  return reparsed.errors.length === 0 && isDeepStrictEqual(toJson(actual), toJson(expected))
}

/** Copies the value, so that aliases, which share one object, become separate ones. */
function toJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null))
}

function replaceAt(root: unknown, path: readonly Key[], value: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (typeof root === 'object' && root !== null) {
    Reflect.set(root, key, replaceAt(Reflect.get(root, key), rest, value))
  }
  return root
}
