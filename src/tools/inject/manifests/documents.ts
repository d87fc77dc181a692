/** Parses the documents of a manifest, with a limit on what their aliases expand to. */
import {
  type Document,
  isAlias,
  isCollection,
  isNode,
  isPair,
  isScalar,
  type LineCounter,
  parseAllDocuments,
  type YAMLError,
  YAMLParseError,
} from 'yaml'
import { findYamlFix } from '../../../sidecar/config/yaml.ts'

export interface ParsedDocument {
  /** Its errors include aliases that cannot be expanded. */
  readonly document: Document
  /** The document as plain values; undefined if it has errors. */
  readonly data: unknown
}

/** Parses every document of the text, so that their ranges in it can be edited. Counts the lines if asked to. */
export function parseDocuments(source: string, lineCounter?: LineCounter): ParsedDocument[] {
  const documents = parseAllDocuments(source, {
    keepSourceTokens: true,
    ...(lineCounter !== undefined && { lineCounter }),
    logLevel: 'error',
    merge: true,
  })
  if (!Array.isArray(documents)) return []
  return documents.map((document) => ({ document, data: readData(document) }))
}

/** Returns where the error of the document is in the file, the reason without the place, and what to do. */
export function locateError(error: YAMLError, document: Document, lines: LineCounter) {
  const { line, col } = error.linePos?.[0] ?? lines.linePos(getOffset(document.contents))
  const [message = ''] = error.message.split('\n')
  const reason = message.replace(/ at line \d+, column \d+:$/, '')
  return { line, col, reason, fix: findYamlFix(error.code) }
}

/** Template syntax where YAML has a value; inside a text, such as one in a ConfigMap, it is usual. */
const TEMPLATE_SYNTAX = /^[^#'"\n]*?(\{\{[^\n]{0,60})/m

/** Returns the problem of a document that has template syntax, and its line; undefined if it has none. */
export function findTemplateSyntax(
  source: string,
  document: Document,
  lines: LineCounter,
): { readonly line: number; readonly problem: string } | undefined {
  const [start = 0, , end = source.length] = document.range ?? []
  const match = TEMPLATE_SYNTAX.exec(source.slice(start, end))
  if (match === null) return undefined
  const { line } = lines.linePos(start + match.index)
  return {
    line,
    problem: `an unrendered template: ${match[1]}. Fix: render it first, such as by helm template RELEASE CHART, and pass the output`,
  }
}

/** Returns the offset of a node in the file. */
export function getOffset(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}

/** Returns the document as plain values; undefined if it has errors. Aliases become shared objects. */
export function readData(document: Document): unknown {
  if (document.errors.length > 0) return undefined
  const problem = findStructureProblem(document)
  if (problem === undefined) {
    try {
      // The library's own limit counts aliases, however small the values that they name.
      return document.toJS({ maxAliasCount: -1 })
    } catch (error) {
      // An alias without an anchor is no error to the parser.
      if (!(error instanceof ReferenceError)) throw error
      addError(document, error.message)
      return undefined
    }
  }
  addError(document, problem)
  return undefined
}

function addError(document: Document, message: string): void {
  document.errors.push(new YAMLParseError([0, 0], 'BAD_ALIAS', message))
}

/** How many characters aliases may add to a document. */
const MAX_ADDED = 16 * 2 ** 20

/** Added for each value: the memory of an object. */
const VALUE_WEIGHT = 16

/** Added for each alias, since the library searches all anchors for it. */
const ALIAS_WEIGHT = 2048

/**
 * Returns why the document is no object: a key that is no text, as unquoted template syntax is, or aliases that
 * cannot be expanded. The time is linear in the document's text.
 */
function findStructureProblem({ contents }: Document): string | undefined {
  /** The weight of the value of each anchor; undefined while it is being computed. */
  const weights = new Map<string, number | undefined>()
  let added = 0
  let recursive: string | undefined
  let hasComplexKey = false

  function weigh(node: unknown): number {
    if (isAlias(node)) {
      if (weights.has(node.source) && weights.get(node.source) === undefined) {
        recursive = node.source
      }
      const weight = ALIAS_WEIGHT + (weights.get(node.source) ?? 0)
      added += weight
      return weight
    }
    const anchor = isScalar(node) || isCollection(node) ? node.anchor : undefined
    if (anchor !== undefined) weights.set(anchor, undefined)
    const weight = VALUE_WEIGHT + weighContent(node)
    if (anchor !== undefined) weights.set(anchor, weight)
    return weight
  }

  function weighContent(node: unknown): number {
    if (isPair(node)) {
      hasComplexKey ||= isCollection(node.key)
      return weigh(node.key) + weigh(node.value)
    }
    if (isCollection(node)) return node.items.reduce<number>((sum, item) => sum + weigh(item), 0)
    return isScalar(node) ? String(node.value).length : 0
  }

  weigh(contents)
  if (recursive !== undefined) return `the alias *${recursive} is part of the value that it names`
  if (hasComplexKey) return 'a mapping or a list is the key of a mapping'
  return added > MAX_ADDED ? 'its aliases expand to too much' : undefined
}
