/** Injects the workloads of manifests. Every line that injection does not change keeps its bytes. */
import { isDeepStrictEqual } from 'node:util'
import { parseDocument } from 'yaml'
import { inject } from '../injector/inject.ts'
import type { InjectionSettings } from '../injector/settings.ts'
import { type ParsedDocument, parseDocuments, readData } from './documents.ts'
import { applyEdits, lineEnd, type TextEdit } from './text-edits.ts'
import {
  findServiceAccounts,
  findWorkloads,
  type ServiceAccount,
  type Workload,
} from './workloads.ts'
import { findEdits } from './yaml-edits.ts'
import { createYamlDocument, type Key, UneditableError } from './yaml-nodes.ts'

export interface ManifestFile {
  readonly name: string
  readonly source: string
}

export interface ManifestOptions {
  readonly settings: InjectionSettings
  /** The namespace of objects that name none. */
  readonly namespace: string | undefined
}

export interface InjectedManifests {
  readonly files: readonly (ManifestFile & { readonly result: string })[]
  /** Each names file, document, kind and name. */
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
  /** How many workloads were found, injected or not. */
  readonly workloads: number
}

interface Context extends ManifestOptions {
  readonly accounts: readonly ServiceAccount[]
  readonly problems: string[]
  readonly warnings: string[]
}

/** A workload's pod template before and after. */
interface Injected {
  readonly label: string
  readonly path: readonly Key[]
  readonly template: unknown
  readonly pod: unknown
}

/** Injects every workload of the files that does not opt out. Pure; reports all problems together. */
export function injectManifests(
  files: readonly ManifestFile[],
  options: ManifestOptions,
): InjectedManifests {
  const parsed = files.map((file) => ({ ...file, documents: parseDocuments(file.source) }))
  const documents = parsed.flatMap((file) => file.documents)
  const accounts = documents.flatMap(({ data }) => findServiceAccounts(data))
  const context: Context = { ...options, accounts, problems: [], warnings: [] }
  const results = parsed.map(({ name, source, documents: parts }) => {
    const edits = parts.flatMap((part, index) =>
      injectDocument(part, source, `${name}, document ${index + 1}`, context),
    )
    return { name, source, result: applyEdits(source, edits) }
  })
  return {
    files: results,
    problems: context.problems,
    warnings: context.warnings,
    workloads: documents.flatMap(({ data }) => findWorkloads(data)).length,
  }
}

/** Returns the edits of one document; a workload that cannot be injected has a problem and no edits. */
function injectDocument(
  { document, data }: ParsedDocument,
  source: string,
  place: string,
  context: Context,
): TextEdit[] {
  const { problems } = context
  const [error] = document.errors
  if (error !== undefined) {
    problems.push(`${place}: ${error.message.split('\n')[0] ?? ''}`)
    return []
  }
  const problemsBefore = problems.length
  const injected = findWorkloads(data).flatMap((workload) =>
    injectWorkload(workload, `${place}, ${workload.label}`, context),
  )
  const yaml = createYamlDocument(document, source)
  const edits = injected.flatMap(({ label, path, template, pod }) => {
    try {
      return findEdits(yaml, path, template, pod)
    } catch (cause) {
      if (!(cause instanceof UneditableError)) throw cause
      problems.push(`${label}: it cannot be edited safely: ${cause.message}`)
      return []
    }
  })
  const isComplete = problems.length === problemsBefore
  if (isComplete && edits.length > 0 && !verifyEdits({ document, data }, source, edits, injected)) {
    problems.push(`${place}: it cannot be edited safely. Fix: write it in plain block style`)
  }
  return edits
}

function injectWorkload(workload: Workload, label: string, context: Context): Injected[] {
  const { template, path, annotations, problems } = workload
  if (annotations['wimds.io/inject'] === 'false') return []
  context.problems.push(...problems.map((problem) => `${label}: ${problem}`))
  if (problems.length > 0) return []
  const serviceAccount = findAccount(workload, context)?.annotations ?? {}
  const injection = inject({ pod: template, serviceAccount, settings: context.settings })
  if (injection.kind === 'rejected') {
    context.problems.push(...injection.reasons.map((reason) => `${label}: ${reason}`))
  }
  if (injection.kind !== 'injected') return []
  context.warnings.push(...injection.warnings.map((warning) => `${label}: ${warning}`))
  return [{ label, path, template, pod: injection.pod }]
}

function findAccount(
  workload: Workload,
  { accounts, namespace }: Context,
): ServiceAccount | undefined {
  return accounts.find(
    (account) =>
      account.name === workload.serviceAccountName &&
      (account.namespace ?? namespace) === (workload.namespace ?? namespace),
  )
}

/** True if the edited text parses to the injected pods and to nothing else: the net under the edits. */
function verifyEdits(
  { document, data }: ParsedDocument,
  source: string,
  edits: readonly TextEdit[],
  injected: readonly Injected[],
): boolean {
  const [from, , last] = document.range ?? [0, 0, source.length]
  // If the last value is empty, the line break is not in the document's range.
  const to = source[last - 1] === '\n' ? last : lineEnd(source, last)
  const shifted = edits.map(({ start, end, text }) => ({
    start: start - from,
    end: end - from,
    text,
  }))
  const edited = parseDocument(applyEdits(source.slice(from, to), shifted), { merge: true })
  const actual = readData(edited)
  const expected = injected.reduce(
    (value, { path, pod }) => replaceAt(value, path, pod),
    toJson(data),
  )
  return edited.errors.length === 0 && isDeepStrictEqual(toJson(actual), toJson(expected))
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
