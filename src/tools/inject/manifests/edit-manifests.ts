/** Injects the workloads of manifests, or removes the sidecar, by edits of the text. */
import { isDeepStrictEqual } from 'node:util'
import { Document } from 'yaml'
import type { ManifestFile } from '../../manifest-files.ts'
import {
  type DocumentProblem,
  findTemplateSyntax,
  type ParsedDocument,
  parseDocuments,
  parseYamlDocument,
  readData,
} from './documents.ts'
import { applyEdits, DocumentEditor } from './edit-document.ts'
import {
  editObject,
  type InjectionOptions,
  type ObjectReport,
  type Operation,
  type SourceDocument,
} from './edit-object.ts'
import { createIdentityFinder, type PlacedObject } from './service-accounts.ts'
import { findObjects, type TemplatePath } from './workloads.ts'

export type EditedManifests = ReturnType<typeof editManifests>

/**
 * Injects every workload of the files that does not opt out. If `injection` is undefined, removes the sidecar. Reports all
 * problems together. `templatePaths` has the paths of the pod templates in further kinds.
 */
export function editManifests(
  files: readonly ManifestFile[],
  injection: InjectionOptions | undefined,
  templatePaths: readonly TemplatePath[] = [],
) {
  const parsed = files.map(({ name: file, source }) =>
    parseDocuments(source).map((each): SourceDocument => ({
      ...each,
      located: locateObjects(each, file),
      file,
    })),
  )
  const located = parsed.flat().flatMap((source) => source.located)
  const findIdentity = createIdentityFinder(located, injection)
  const operation = { injection, templatePaths, findIdentity }
  const results = parsed.map((sources) => sources.map((source) => editDocument(source, operation)))
  const documents = results.flat()
  const objects = documents.flatMap((document) => document.objects)
  return {
    files: files.map((file, index) => ({
      ...file,
      result: results[index]?.map(({ text }) => text).join('') ?? '',
    })),
    /** Every object, in the order of the input. */
    objects,
    /** The resulting pods and pod templates, without the skipped ones. */
    pods: documents.flatMap(({ pods }) => pods),
    /** The reasons why files and objects cannot be edited. Each begins with file and line. */
    problems: documents.flatMap(({ problems }) => problems),
    /** Each begins with file and line. */
    warnings: objects.flatMap((object) =>
      [...object.warnings, ...(isKept(object, operation) ? object.reasons : [])].map(
        (warning) => `${formatPlace(object)}: warning: ${warning}`,
      ),
    ),
  }
}

function locateObjects({ data, document, findLine }: ParsedDocument, file: string): PlacedObject[] {
  return findObjects(data, []).map((each) => {
    const isWhole = each.path.length === 0
    const line = findLine(isWhole ? document.contents : document.getIn(each.path, true))
    return { ...each, file, line }
  })
}

function isKept({ outcome }: ObjectReport, { injection }: Operation): boolean {
  return injection?.keepsRejected === true && outcome === 'rejected'
}

/** Returns `orders.yaml:12: Deployment/orders`. */
export function formatPlace({ file, line, kind, name }: ObjectReport): string {
  return `${file}:${line}: ${kind}${name === '' ? '' : `/${name}`}`
}

/** Edits the objects of a document. Reports a problem for an object that cannot be edited, and leaves its text unchanged. */
function editDocument(source: SourceDocument, operation: Operation) {
  const { text, data, located, document, file, firstLine, findLine } = source
  const leave = ({ place, message }: DocumentProblem) => {
    return { text, objects: [], pods: [], problems: [`${file}:${place}: ${message}`] }
  }
  if (source.problem !== undefined) return leave(source.problem)
  const editor = new DocumentEditor(document, text)
  const results = located.map((each) => editObject(each, findLine, editor, operation))
  const edits = results.flatMap((result) => result.edits)
  const changes = results.flatMap((result) => result.changes)
  const edited = applyEdits(text, edits)
  // The expected result. It is made of plain values, because a pod template may have the anchor of an alias elsewhere.
  const expected = new Document(data)
  for (const { path, pod } of changes) expected.setIn(path, pod)
  // A safeguard against wrong edits.
  if (
    edits.length > 0 &&
    !isDeepStrictEqual(readData(parseYamlDocument(edited)), readData(expected))
  ) {
    const message = 'it cannot be edited safely. Fix: write it in plain block style without aliases'
    return leave({ place: String(firstLine), message })
  }
  const objects = results.map(({ report }) => report)
  const problems = objects
    .filter((object) => object.outcome === 'rejected' && !isKept(object, operation))
    .flatMap((object) => object.reasons.map((reason) => `${formatPlace(object)}: ${reason}`))
  const template = problems.length > 0 ? findTemplateSyntax(text, firstLine) : undefined
  return {
    text: edited,
    objects,
    pods: changes.map(({ pod }) => pod),
    problems: template === undefined ? problems : leave(template).problems,
  }
}
