/** One document of a manifest: the edits that inject its workloads, or why that cannot be done. */
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, isSeq, parseDocument } from 'yaml'
import { type ChangesBelow, type Key, withChanges } from '../injector/changes.ts'
import { type InjectionRequest, inject } from '../injector/inject.ts'
import type { InjectionSettings } from '../injector/settings.ts'
import { dataOf } from './document-data.ts'
import { editsFor } from './edits.ts'
import { type TextEdit, UneditableError, applyEdits, lineEnd } from './text-edit.ts'
import { type ServiceAccount, type Workload, workloadsIn } from './workloads.ts'
import { type YamlTree, columnOf, nodeAt, yamlTree } from './yaml-node.ts'

export interface ManifestOptions {
  readonly settings: InjectionSettings
  /** The namespace of objects that name none. */
  readonly namespace: string | undefined
}

interface SourceDocument {
  readonly document: Document
  /** The document as plain values; undefined where it has errors. */
  readonly data: unknown
  /** The text of the whole file, which the document's offsets are of. */
  readonly source: string
  /** File and number, for people. */
  readonly place: string
}

interface Surroundings extends ManifestOptions {
  readonly accounts: readonly ServiceAccount[]
}

export interface Note {
  readonly kind: 'mistake' | 'warning'
  readonly text: string
}

export interface InjectedDocument {
  readonly edits: readonly TextEdit[]
  readonly notes: readonly Note[]
  readonly workloads: number
}

/** A workload that is to change. */
interface Injected extends ChangesBelow {
  readonly label: string
}

/** Injects the document's workloads; where one cannot be, there are notes and no edits of it. */
export function injectDocument(target: SourceDocument, around: Surroundings): InjectedDocument {
  const { document, data, place } = target
  const [error] = document.errors
  if (error !== undefined) {
    const text = `${place}: ${error.message.split('\n')[0] ?? ''}`
    return { edits: [], notes: [{ kind: 'mistake', text }], workloads: 0 }
  }
  const notes: Note[] = []
  const workloads = workloadsIn(data)
  const injected = workloads.flatMap((workload): Injected[] => {
    if (workload.annotations['wimds.io/inject'] === 'false') return []
    const label = `${place}, ${workload.label}`
    if (workload.mistakes.length > 0) {
      notes.push(...workload.mistakes.map((reason) => mistake(label, reason)))
      return []
    }
    const injection = inject(requestFor(workload, around))
    if (injection.kind === 'skipped') return []
    if (injection.kind === 'rejected') {
      notes.push(...injection.reasons.map((reason) => mistake(label, reason)))
      return []
    }
    const { changes, warnings } = injection
    notes.push(...warnings.map((text) => ({ kind: 'warning', text: `${label}: ${text}` }) as const))
    return [{ label, path: workload.path, changes }]
  })
  const tree = yamlTree(document)
  const edits = injected.flatMap((workload) => editsOrNote(tree, target.source, workload, notes))
  const isComplete = notes.every(({ kind }) => kind !== 'mistake')
  if (isComplete && !isAsMeant(target, edits, injected)) {
    notes.push(mistake(place, 'it cannot be edited safely; write it in plain block style'))
  }
  return { edits, notes, workloads: workloads.length }
}

function requestFor(
  workload: Workload,
  { accounts, namespace, settings }: Surroundings,
): InjectionRequest {
  const account = accounts.find(
    ({ name, namespace: own }) =>
      name === workload.serviceAccountName &&
      (own ?? namespace) === (workload.namespace ?? namespace),
  )
  return { pod: workload.template, serviceAccount: account?.annotations ?? {}, settings }
}

function editsOrNote(
  tree: YamlTree,
  source: string,
  { label, path, changes }: Injected,
  notes: Note[],
): TextEdit[] {
  try {
    if (changes.length === 0) return []
    const hasIndentedLists = areListsIndented(tree, path)
    return editsFor({ ...tree, source, hasIndentedLists }, path, changes)
  } catch (cause) {
    if (!(cause instanceof UneditableError)) throw cause
    notes.push(mistake(label, `it cannot be edited safely: ${cause.message}`))
    return []
  }
}

/** The workload's own style, seen at its containers. */
function areListsIndented(tree: YamlTree, path: readonly Key[]): boolean {
  const { node: spec } = nodeAt(tree, [...path, 'spec'])
  const { node: containers } = nodeAt(tree, [...path, 'spec', 'containers'])
  if (!isSeq(containers) || !isMap(spec) || containers.flow === true) return true
  return columnOf(containers) > columnOf(spec)
}

/** The net under the edits: the edited text must read as what was meant, and as nothing else. */
function isAsMeant(
  { document, data, source }: SourceDocument,
  edits: readonly TextEdit[],
  injected: readonly Injected[],
): boolean {
  if (edits.length === 0) return true
  const [from, , last] = document.range ?? [0, 0, source.length]
  // An empty last value leaves the line break outside the document's range.
  const to = source[last - 1] === '\n' ? last : lineEnd(source, last)
  const shifted = edits.map(({ start, end, text }) => ({
    start: start - from,
    end: end - from,
    text,
  }))
  const edited = parseDocument(applyEdits(source.slice(from, to), shifted), { merge: true })
  const meant = withChanges(data, injected)
  return edited.errors.length === 0 && isDeepStrictEqual(plain(dataOf(edited)), plain(meant))
}

/** Without undefined values and shared objects. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function mistake(place: string, reason: string): Note {
  return { kind: 'mistake', text: `${place}: ${reason}` }
}
