/** Finds the changes of a document's text that change its value: all other text, with its comments, stays as it is. */
import { isDeepStrictEqual } from 'node:util'
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  type Pair,
  stringify,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

export type Key = string | number

/** Thrown for a change that cannot be written without changing something else. */
export class UneditableError extends Error {
  /** The node that prevents the change. */
  readonly node: unknown
  readonly fix: string

  constructor(message: string, node: unknown, fix: string) {
    super(message)
    this.name = 'UneditableError'
    this.node = node
    this.fix = fix
  }
}

/** The text that replaces a part of another one, between two offsets. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Returns the text with the edits. Of edits with one start, the first one comes first. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let next = 0
  const parts = edits
    .toSorted((one, other) => one.start - other.start)
    .flatMap((edit) => {
      const kept = text.slice(next, edit.start)
      next = Math.max(next, edit.end)
      return [kept, edit.text]
    })
  return [...parts, text.slice(next)].join('')
}

type JsonObject = Readonly<Record<string, unknown>>
/** An element of a list that its name identifies, such as a container. */
type Named = JsonObject & { readonly name: string }
type Member = Pair<Node, Node | null>

interface Place {
  readonly node: Node
  readonly path: readonly Key[]
  /** True if it is inside brackets or braces. */
  readonly isInFlow: boolean
  /** The pair whose value it is; undefined for an element and the document. */
  readonly pair?: Member | undefined
}

const EXPLODE = "or pass the output of yq 'explode(.)'"
const WRITE_OUT = `write the value out there, ${EXPLODE}`

/** Finds the edits of one document. */
export class DocumentEditor {
  readonly #document: Document
  readonly #text: string
  readonly #style: ReturnType<typeof findStyle>
  /** The anchors that aliases name: what they mark is written once and used in several places. */
  readonly #shared = new Set<string>()

  constructor(document: Document, text: string) {
    this.#document = document
    this.#text = text
    this.#style = findStyle(text)
    visit(document, { Alias: (_, { source }) => void this.#shared.add(source) })
  }

  /**
   * Returns the edits that turn the value at the path from `before` into `after`. Throws an `UneditableError` if a
   * change would fall into an alias, an anchor that is used elsewhere, or a merge key.
   */
  findEdits(path: readonly Key[], before: unknown, after: unknown): Edit[] {
    const root = this.#toPlace(this.#document.contents, { path: [], isInFlow: false })
    const place = path.reduce((above, key) => this.#findMember(above, key), root)
    return isDeepStrictEqual(before, after) ? [] : this.#edit(place, before, after)
  }

  #findMember({ node, path: above, isInFlow }: Place, key: Key): Place {
    const place = {
      path: [...above, key],
      isInFlow: isInFlow || (isCollection(node) && node.flow === true),
    }
    if (isSeq(node)) return this.#toPlace(node.items[Number(key)], place)
    const pair = isMap(node) ? findPair(node, key) : undefined
    if (pair !== undefined) return this.#toPlace(pair.value, { ...place, pair })
    throw new UneditableError(
      `${place.path.join('.')} comes from a merge key (<<)`,
      node,
      WRITE_OUT,
    )
  }

  #toPlace(value: unknown, place: Omit<Place, 'node'>): Place {
    const name = place.path.join('.')
    if (isAlias(value)) {
      throw new UneditableError(`${name} is the alias *${value.source}`, value, WRITE_OUT)
    }
    const node = isNode(value) ? value : this.#document.createNode(value)
    if ('anchor' in node && node.anchor !== undefined && this.#shared.has(node.anchor)) {
      const problem = `${name} has the anchor &${node.anchor}, used elsewhere too,`
      throw new UneditableError(problem, node, `write both values out, ${EXPLODE}`)
    }
    return { ...place, node }
  }

  #editMember(place: Place, key: Key, old: unknown, value: unknown): Edit[] {
    return isDeepStrictEqual(old, value) ? [] : this.#edit(this.#findMember(place, key), old, value)
  }

  #edit(place: Place, old: unknown, value: unknown): Edit[] {
    const { node } = place
    if (isMap(node) && isObject(old) && isObject(value)) {
      if (Object.keys(old).some((key) => Object.hasOwn(value, key))) {
        return this.#editMap(place, node, old, value)
      }
    }
    if (isSeq(node) && isNamedList(old) && isNamedList(value)) {
      return this.#editList(place, node, old, value)
    }
    return [this.#replace(place, value)]
  }

  #editMap(place: Place, map: YAMLMap, old: JsonObject, value: JsonObject): Edit[] {
    const removed = Object.keys(old).filter((key) => !Object.hasOwn(value, key))
    for (const key of removed) this.#findMember(place, key)
    const pairs = map.items.filter(isMember)
    const isKept = ({ key }: Member) => !(isScalar(key) && removed.includes(String(key.value)))
    const { changed = [], added = [] } = Object.groupBy(Object.entries(value), ([key]) =>
      Object.hasOwn(old, key) ? 'changed' : 'added',
    )
    const last = pairs.findLast(isKept)
    return [
      ...this.#remove(map, pairs, isKept),
      ...changed.flatMap(([key, member]) => this.#editMember(place, key, old[key], member)),
      ...added.map(([key, member]) => this.#insert(place, map, last, { [key]: member })),
    ]
  }

  #editList(place: Place, list: YAMLSeq, old: readonly Named[], value: readonly Named[]): Edit[] {
    const oldKeys = createKeys(old)
    const nodes = list.items.filter(isNode)
    let last = -1
    // The place of each element before; -1: it is new, or has changed places with the one before it.
    const places = createKeys(value).map((key) => {
      const index = oldKeys.indexOf(key)
      if (index <= last) return -1
      last = index
      return index
    })
    if (last === -1) return [this.#replace(place, value)]
    return [
      ...this.#remove(list, nodes, (node) => places.includes(nodes.indexOf(node))),
      ...places.flatMap((index, at) => {
        if (index !== -1) return this.#editMember(place, index, old[index], value[at])
        const before = Math.max(-1, ...places.slice(0, at))
        return [this.#insert(place, list, nodes[before], [value[at]])]
      }),
    ]
  }

  /** Returns the edits that remove the items that are not kept. One is. */
  #remove<T extends Node | Member>(
    collection: YAMLMap | YAMLSeq,
    items: readonly T[],
    isKept: (item: T) => boolean,
  ): Edit[] {
    const column = this.#findColumn(findStart(collection))
    return items.flatMap((item, index) => {
      if (isKept(item)) return []
      const [before, next] = [items[index - 1], items[index + 1]]
      const start = findStart(item)
      const isFirst = !items.slice(0, index).some(isKept)
      if (collection.flow) {
        return isFirst && next !== undefined
          ? [{ start, end: findStart(next), text: '' }]
          : [{ start: findEnd(before ?? item), end: findEnd(item), text: '' }]
      }
      // The first key of an element is in the line of its dash.
      const isBehindDash = this.#text.slice(this.#findLine(start), start).trim() !== ''
      if (isPair(item) && next !== undefined && isBehindDash) {
        return [{ start, end: findStart(next), text: '' }]
      }
      const end = this.#endLine(findEnd(item))
      const comments = isPair(item) ? findComments(this.#text.slice(start, end)) : []
      const above = this.#endLine(this.#findLine(start) - 1)
      return [{ start: above, end, text: this.#toLines(comments, column) }]
    })
  }

  /** Returns the edit that adds a map of one pair, or a list of one element, behind the item, or else in front of all. */
  #insert(
    { isInFlow }: Place,
    collection: YAMLMap | YAMLSeq,
    before: Node | Member | undefined,
    value: object,
  ): Edit {
    const [first] = collection.items
    const start = findStart(collection)
    if (!isInFlow && !collection.flow) {
      const at = this.#endLine(before === undefined ? this.#findLead(start) : findEnd(before))
      const text = this.#printBlock(value, this.#findColumn(start))
      return { start: at, end: at, text }
    }
    const lead = this.#text.slice(start + 1, findStart(first))
    const separator = lead.includes('\n') ? `,${lead}` : ', '
    // JSON is YAML, too.
    const printed = JSON.stringify(value).slice(1, -1)
    const at = before === undefined ? findStart(first) : findEnd(before)
    return {
      start: at,
      end: at,
      text: before === undefined ? printed + separator : separator + printed,
    }
  }

  /** Returns the edit that writes another value, and keeps the comments of the old one. */
  #replace({ node, pair, isInFlow }: Place, value: unknown): Edit {
    const [start, end] = getRange(node)
    const isFilled = typeof value === 'object' && value !== null && Object.keys(value).length > 0
    if (isInFlow || pair === undefined) {
      const type = isScalar(node) && node.type === 'QUOTE_SINGLE' ? node.type : 'QUOTE_DOUBLE'
      const text = printScalar(value, type)
      return { start, end, text: this.#text[start - 1] === ':' ? ` ${text}` : text }
    }
    if (!isFilled && isScalar(node) && start < end && !node.type?.startsWith('BLOCK')) {
      return { start, end, text: printScalar(value, node.type) }
    }
    const column = this.#findColumn(findStart(pair))
    const from = getRange(pair.key)[1]
    const to = this.#endLine(findEnd(pair))
    const [comment, ...others] = findComments(this.#text.slice(from, to))
    const words = [':', ...(isFilled ? [] : [printScalar(value)]), ...(comment ? [comment] : [])]
    const { indent, indentSeq } = this.#style
    const inner = column + (Array.isArray(value) && !indentSeq ? 0 : indent)
    const lines = this.#toLines(others, column) + (isFilled ? this.#printBlock(value, inner) : '')
    return { start: from, end: to, text: words.join(' ') + lines }
  }

  /** Returns lines at the column, each behind a line break. */
  #printBlock(value: unknown, column: number): string {
    const { indent, indentSeq } = this.#style
    const printed = stringify(value, { ...OPTIONS, indent, indentSeq })
    return this.#toLines(printed.trimEnd().split('\n'), column)
  }

  #toLines(lines: readonly string[], column: number): string {
    const { eol } = this.#style
    return lines.map((line) => eol + (line === '' ? '' : ' '.repeat(column) + line)).join('')
  }

  #findLine(offset: number): number {
    return this.#text.lastIndexOf('\n', offset - 1) + 1
  }

  #findColumn(offset: number): number {
    return offset - this.#findLine(offset)
  }

  /** Returns an offset in the line above the first element, and above the comments in front of it. */
  #findLead(offset: number): number {
    const end = this.#findLine(offset) - 1
    const line = this.#text.slice(this.#findLine(end), end)
    return end > 0 && /^\s*(?:#|$)/.test(line) ? this.#findLead(end) : end
  }

  /** Returns the end of the line, before its line break. A block scalar ends behind it. */
  #endLine(offset: number): number {
    const from = this.#text[offset - 1] === '\n' ? offset - 1 : offset
    const at = this.#text.indexOf('\n', from)
    const end = at === -1 ? this.#text.length : at
    return this.#text[end - 1] === '\r' ? end - 1 : end
  }
}

const OPTIONS = { aliasDuplicateObjects: false, compat: 'yaml-1.1', lineWidth: 0 } as const

/** Finds how the text is written, for what is added to it. */
function findStyle(text: string) {
  const [, key, dash] =
    /^( *)(?:- )?containers:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)- /m.exec(text) ?? []
  return {
    eol: text.includes('\r\n') ? '\r\n' : '\n',
    indent: /^( +)[^\s#-]/m.exec(text)?.[1]?.length ?? 2,
    indentSeq: key === undefined || dash === undefined || dash.length > key.length,
  }
}

/** Returns the value in one line, a text in quotes of the type if it has any. */
function printScalar(value: unknown, type?: string): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  if (value.includes('\n') || type === 'QUOTE_DOUBLE') return JSON.stringify(value)
  if (type === 'QUOTE_SINGLE') return `'${value.replaceAll("'", "''")}'`
  return stringify(value, OPTIONS).trimEnd()
}

function findPair(map: YAMLMap, key: Key): Member | undefined {
  return map.items
    .filter(isMember)
    .find((each) => isScalar(each.key) && String(each.key.value) === String(key))
}

function isMember(pair: Pair): pair is Member {
  return isNode(pair.key)
}

function getRange(node: Node): readonly [start: number, end: number] {
  const [start, end] = node.range ?? [0, 0]
  return [start, end]
}

function findStart(item: unknown): number {
  const node = isPair(item) ? item.key : item
  return isNode(node) ? getRange(node)[0] : 0
}

/** Returns the end of what was written for the item, without a comment behind it. */
function findEnd(item: unknown): number {
  if (isPair(item)) {
    const isWritten = isNode(item.value) && getRange(item.value)[0] < getRange(item.value)[1]
    return findEnd(isWritten ? item.value : item.key)
  }
  if (isCollection(item) && item.flow !== true && item.items.length > 0)
    return findEnd(item.items.at(-1))
  return isNode(item) ? getRange(item)[1] : 0
}

/** Returns the comments in a part of a document. */
function findComments(text: string): string[] {
  const lexemes = [...new Lexer().lex(text)]
  return lexemes.filter((each, index) => each.startsWith('#') && lexemes[index - 1] !== SCALAR)
}

/** The lexer puts it before a scalar. */
const SCALAR = '\u001F'

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns true for a list of objects with names. */
function isNamedList(value: unknown): value is readonly Named[] {
  if (!Array.isArray(value) || value.length === 0) return false
  return value.every((each: unknown) => isObject(each) && typeof each['name'] === 'string')
}

/** Returns a key for each element: its name, and its number among the elements of this name, which may repeat. */
function createKeys(list: readonly Named[]): string[] {
  const counts = new Map<string, number>()
  return list.map(({ name }) => {
    const count = counts.get(name) ?? 0
    counts.set(name, count + 1)
    return `${count} ${name}`
  })
}
