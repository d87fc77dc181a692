/** Manifests in, manifests with the sidecar out; what is not injected stays byte for byte. */
import { type Document, parseAllDocuments, YAMLParseError } from 'yaml'
import { dataOf } from './document-data.ts'
import { type ManifestOptions, type Note, injectDocument } from './inject-document.ts'
import { type TextEdit, applyEdits } from './text-edit.ts'
import { serviceAccountsIn } from './workloads.ts'

export interface ManifestFile {
  readonly name: string
  readonly source: string
}

interface ManifestResult extends ManifestFile {
  readonly edits: readonly TextEdit[]
  /** The source with the edits made. */
  readonly result: string
}

export interface InjectedManifests {
  readonly files: readonly ManifestResult[]
  /** Each names file, document, kind and name. */
  readonly mistakes: readonly string[]
  readonly warnings: readonly string[]
  /** How many workloads were found, injected or not. */
  readonly workloads: number
}

/** Injects every workload of the files that does not opt out. Pure; reports all mistakes together. */
export function injectManifests(
  files: readonly ManifestFile[],
  options: ManifestOptions,
): InjectedManifests {
  const parsed = files.map((file) => ({ ...file, documents: documentsOf(file.source) }))
  const accounts = parsed.flatMap(({ documents }) =>
    documents.flatMap(({ data }) => serviceAccountsIn(data)),
  )
  const injected = parsed.map(({ name, source, documents }) => {
    const each = documents.map(({ document, data }, index) => {
      const place = `${name}, document ${index + 1}`
      return injectDocument({ document, data, source, place }, { ...options, accounts })
    })
    const edits = each.flatMap((one) => one.edits)
    return { name, source, edits, result: applyEdits(source, edits), each }
  })
  const notes = injected.flatMap(({ each }) => each.flatMap((one) => one.notes))
  return {
    files: injected.map(({ name, source, edits, result }) => ({ name, source, edits, result })),
    mistakes: textsOf(notes, 'mistake'),
    warnings: textsOf(notes, 'warning'),
    workloads: injected.reduce(
      (sum, { each }) => sum + each.reduce((count, one) => count + one.workloads, 0),
      0,
    ),
  }
}

function textsOf(notes: readonly Note[], kind: Note['kind']): string[] {
  return notes.filter((note) => note.kind === kind).map(({ text }) => text)
}

interface ParsedDocument {
  readonly document: Document
  /** Undefined where the document has errors. */
  readonly data: unknown
}

function documentsOf(source: string): ParsedDocument[] {
  const documents = parseAllDocuments(source, {
    keepSourceTokens: true,
    logLevel: 'error',
    merge: true,
  })
  if (!Array.isArray(documents)) return []
  return documents.map((document) => ({ document, data: dataOrErrors(document) }))
}

/** Bad aliases are no mistakes to the parser: here they become errors of the document. */
function dataOrErrors(document: Document): unknown {
  if (document.errors.length > 0) return undefined
  try {
    return dataOf(document)
  } catch (error) {
    const message = error instanceof Error ? error.message : 'an alias cannot be followed'
    document.errors.push(new YAMLParseError([0, 0], 'BAD_ALIAS', message))
    return undefined
  }
}
