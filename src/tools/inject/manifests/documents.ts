/** Parses each document of a manifest separately. */
import { type Document, isCollection, isNode, LineCounter, parseDocument, visit } from 'yaml'

export type ParsedDocument = ReturnType<typeof parseOne>

/** The reason why a document cannot be read. */
export interface DocumentProblem {
  /** The place in the file: `LINE:COLUMN`, or `LINE`. */
  readonly place: string
  /** The message, with the fix. */
  readonly message: string
}

/** Parses every document of the text. */
export function parseDocuments(source: string): ParsedDocument[] {
  let line = 1
  return splitDocuments(source).map((text) => {
    const parsed = parseOne(text, line)
    line += text.split('\n').length - 1
    return parsed
  })
}

/** Splits a file where kubectl does. Comments and directives before the first marker belong to the document after it. */
function splitDocuments(source: string): string[] {
  const [first = '', second, ...others] = source.split(/^(?=---(?:\s|$))/m)
  const isPreamble = first.split('\n').every((line) => /^\s*(?:[#%]|$)/.test(line))
  if (second === undefined) return [first]
  return isPreamble ? [first + second, ...others] : [first, second, ...others]
}

function parseOne(text: string, firstLine: number) {
  const lines = new LineCounter()
  const document = parseYamlDocument(text, lines)
  const locate = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: firstLine + line - 1, col }
  }
  const { data, reason } = readData(document)
  const [error] = document.errors
  const message = error?.message ?? reason
  const describe = (): DocumentProblem => {
    const { line, col } = locate(error?.pos[0] ?? getOffset(document.contents))
    const fix = FIXES[error?.code ?? 'BAD_ALIAS'] ?? 'correct the YAML at this place'
    return { place: `${line}:${col}`, message: `${message}. Fix: ${fix}` }
  }
  return {
    /** The text of this document. */
    text,
    /** The first line of the document in the file. */
    firstLine,
    document,
    /** The document as plain values; undefined if there is a problem. */
    data,
    problem:
      message === undefined ? undefined : (findTemplateSyntax(text, firstLine) ?? describe()),
    /** Returns the line of a node in the file. */
    findLine: (node: unknown) => locate(getOffset(node)).line,
  }
}

export function parseYamlDocument(text: string, lineCounter = new LineCounter()): Document.Parsed {
  return parseDocument(text, {
    lineCounter,
    logLevel: 'error',
    merge: true,
    prettyErrors: false,
  })
}

/** The maximum number of aliases. The library searches the whole document for the anchor of each. */
const MAX_ALIASES = 1000

/** Returns the document as plain values, or the reason why it has none. */
export function readData(document: Document): {
  readonly data?: unknown
  readonly reason?: string
} {
  if (document.errors.length > 0) return {}
  let aliases = 0
  let hasComplexKey = false
  visit(document, {
    Alias: () => void (aliases += 1),
    Pair: (_, { key }) => void (hasComplexKey ||= isCollection(key)),
  })
  if (hasComplexKey) return { reason: 'a mapping or a list is the key of a mapping' }
  if (aliases > MAX_ALIASES) return { reason: `it has more than ${MAX_ALIASES} aliases` }
  try {
    return { data: JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: MAX_ALIASES }))) }
  } catch (error) {
    // An alias without an anchor, or a billion laughs.
    if (error instanceof ReferenceError) return { reason: error.message }
    // An object that contains itself is not JSON.
    if (error instanceof TypeError) return { reason: 'an alias is part of the value that it names' }
    throw error
  }
}

/** Matches template syntax where YAML has a value. Template syntax inside a text, such as a value of a ConfigMap, is usual. */
const TEMPLATE_SYNTAX = /^[^#'"\n]*?(\{\{[^\n]{0,60})/m

/** Returns the problem of a document that has template syntax; undefined if it has none. */
export function findTemplateSyntax(text: string, firstLine: number): DocumentProblem | undefined {
  const match = TEMPLATE_SYNTAX.exec(text)
  if (match === null) return undefined
  return {
    place: String(firstLine + text.slice(0, match.index).split('\n').length - 1),
    message: `an unrendered template: ${match[1]}. Fix: render it first, for example by helm template RELEASE CHART, and pass the output`,
  }
}

function getOffset(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}

/** The fixes by the parser's error code. */
const FIXES: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'write out the value that the alias stands for',
  BAD_INDENT: 'correct the indentation here, or close a bracket above',
  BAD_SCALAR_START: 'put the value in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'put the value in quotes if its colon is text, or begin the inner mapping on a new line',
  DUPLICATE_KEY: 'keep one of the keys',
  MISSING_CHAR: 'add the missing character',
  MULTILINE_IMPLICIT_KEY: 'add the colon and the space after the key',
  MULTIPLE_DOCS: 'keep one',
  TAB_AS_INDENT: 'indent with spaces',
}
