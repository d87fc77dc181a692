/** Finds the edits that change a value in a document's text. All other text, including comments, stays unchanged. */
import { isDeepStrictEqual } from 'node:util'
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  type Pair,
  type ParsedNode,
  stringify,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

export type Key = string | number

/** Thrown for a change to a value that is written once and used in several places. */
export class UneditableError extends Error {
  /** The node that prevents the change. */
  readonly node: unknown

  constructor(message: string, node: unknown) {
    super(message)
    this.name = 'UneditableError'
    this.node = node
  }
}

/** A text that replaces the part of the document between two offsets. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Applies the edits to a text. Edits with the same start are applied in their order. */
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

type Collection = YAMLMap.Parsed | YAMLSeq.Parsed
/** A pair of a map, or an element of a list. */
type Item = Pair<ParsedNode, ParsedNode | null> | ParsedNode

interface Place {
  readonly node: ParsedNode
  readonly path: readonly Key[]
  /** Undefined for the document itself. */
  readonly item?: Item | undefined
  /** True if the item is directly in brackets or braces. */
  readonly isInFlow: boolean
}

/** Finds the edits of one document. */
export class DocumentEditor {
  readonly #document: Document.Parsed
  readonly #text: string
  readonly #style: ReturnType<typeof findStyle>
  /** The anchors that aliases name. Their values are written once and used in several places. */
  readonly #shared = new Set<string>()

  constructor(document: Document.Parsed, text: string) {
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

  #findMember({ node, path: above }: Place, key: Key): Place {
    const path = [...above, key]
    const item = isCollection(node) ? findItem(node, key) : undefined
    if (item === undefined) {
      throw new UneditableError(`${path.join('.')} comes from a merge key (<<)`, node)
    }
    const isInFlow = isCollection(node) && node.flow === true
    return this.#toPlace(isPair(item) ? item.value : item, { path, item, isInFlow }, node)
  }

  #toPlace(node: ParsedNode | null, place: Omit<Place, 'node'>, parent?: ParsedNode): Place {
    const name = place.path.join('.')
    if (node === null) throw new UneditableError(`${name} has no value in its braces`, parent)
    if (isAlias(node)) throw new UneditableError(`${name} is the alias *${node.source}`, node)
    if (node.anchor !== undefined && this.#shared.has(node.anchor)) {
      const problem = `${name} has the anchor &${node.anchor}, used elsewhere too,`
      throw new UneditableError(problem, node)
    }
    return { ...place, node }
  }

  #edit(place: Place, old: unknown, value: unknown): Edit[] {
    const { node } = place
    if (!isCollection(node) || Array.isArray(old) !== Array.isArray(value)) {
      return [this.#replace(place, value)]
    }
    const before = listMembers(old)
    let last = -1
    const members = listMembers(value).map((member) => {
      const index = before.findIndex(({ id }) => id === member.id)
      // An element that was moved up counts as removed and inserted again.
      if (index === -1 || (isSeq(node) && index < last)) return { ...member, index: -1 }
      last = index
      return { ...member, index }
    })
    if (last === -1) return [this.#replace(place, value)]
    const kept = new Set(members.map(({ index }) => index))
    const items: readonly Item[] = node.items
    const removed = new Set(
      before
        .filter((_, index) => !kept.has(index))
        .map(({ key }) => this.#findMember(place, key).item),
    )
    const isKept = (item: Item) => !removed.has(item)
    // A new member is inserted behind this item. In a map it is the last kept one.
    let anchor = isSeq(node) ? undefined : items.findLast(isKept)
    return [
      ...this.#remove(node, items, isKept),
      ...members.flatMap(({ index, key, value: member }) => {
        const { [index]: earlier } = before
        if (earlier === undefined) return [this.#insert(node, anchor, key, member)]
        if (isSeq(node)) anchor = items[index]
        if (isDeepStrictEqual(earlier.value, member)) return []
        return this.#edit(this.#findMember(place, earlier.key), earlier.value, member)
      }),
    ]
  }

  /** Returns the edits that remove all items that are not kept. At least one item is kept. */
  #remove(collection: Collection, items: readonly Item[], isKept: (item: Item) => boolean): Edit[] {
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
      // The first key of an element is on the line of its dash.
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

  /** Returns the edit that inserts a member behind `before`, or in front of all members if `before` is undefined. */
  #insert(collection: Collection, before: Item | undefined, key: Key, member: unknown): Edit {
    const value = isMap(collection) ? { [key]: member } : [member]
    const start = findStart(collection)
    if (!collection.flow) {
      const at = this.#endLine(before === undefined ? this.#findLead(start) : findEnd(before))
      return { start: at, end: at, text: this.#printBlock(value, this.#findColumn(start)) }
    }
    const first = findStart(collection.items[0] ?? collection)
    const lead = this.#text.slice(start + 1, first)
    const separator = lead.includes('\n') ? `,${lead}` : ', '
    // JSON is YAML, too.
    const printed = JSON.stringify(value).slice(1, -1)
    if (before === undefined) return { start: first, end: first, text: printed + separator }
    const at = findEnd(before)
    return { start: at, end: at, text: separator + printed }
  }

  /** Returns the edit that writes another value, and keeps the comments of the old one. */
  #replace({ node, item, isInFlow }: Place, value: unknown): Edit {
    const [start, end] = node.range
    const isFilled = typeof value === 'object' && value !== null && Object.keys(value).length > 0
    if (isInFlow || !isPair(item)) {
      const type = isScalar(node) && node.type === 'QUOTE_SINGLE' ? node.type : 'QUOTE_DOUBLE'
      const text = printScalar(value, type)
      return { start, end, text: this.#text[start - 1] === ':' ? ` ${text}` : text }
    }
    if (!isFilled && isScalar(node) && start < end && !node.type?.startsWith('BLOCK')) {
      return { start, end, text: printScalar(value, node.type) }
    }
    const column = this.#findColumn(findStart(item))
    const from = item.key.range[1]
    const to = this.#endLine(findEnd(item))
    const [comment, ...others] = findComments(this.#text.slice(from, to))
    const words = [':', ...(isFilled ? [] : [printScalar(value)]), ...(comment ? [comment] : [])]
    const { indent, indentSeq } = this.#style
    const inner = column + (Array.isArray(value) && !indentSeq ? 0 : indent)
    const lines = this.#toLines(others, column) + (isFilled ? this.#printBlock(value, inner) : '')
    return { start: from, end: to, text: words.join(' ') + lines }
  }

  /** Returns the value in block style, indented to the column. A line break precedes each line. */
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

  /**
   * Returns the offset of the line break above the first element, and above the comments and empty lines before it.
   */
  #findLead(offset: number): number {
    const end = this.#findLine(offset) - 1
    const line = this.#text.slice(this.#findLine(end), end)
    return end > 0 && /^\s*(?:#|$)/.test(line) ? this.#findLead(end) : end
  }

  /**
   * Returns the offset of the line break that ends the line. Accepts the end of a block scalar, which is behind its line break.
   */
  #endLine(offset: number): number {
    const from = this.#text[offset - 1] === '\n' ? offset - 1 : offset
    const at = this.#text.indexOf('\n', from)
    const end = at === -1 ? this.#text.length : at
    return this.#text[end - 1] === '\r' ? end - 1 : end
  }
}

const OPTIONS = { aliasDuplicateObjects: false, compat: 'yaml-1.1', lineWidth: 0 } as const

/** Finds the style of the text, so that new text gets the same style. */
function findStyle(text: string) {
  const [, key, dash] =
    /^( *)(?:- )?containers:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)- /m.exec(text) ?? []
  return {
    eol: text.includes('\r\n') ? '\r\n' : '\n',
    indent: /^( +)[^\s#-]/m.exec(text)?.[1]?.length ?? 2,
    indentSeq: key === undefined || dash === undefined || dash.length > key.length,
  }
}

/** Returns the value on one line. A text gets quotes if `type` is a style with quotes. */
function printScalar(value: unknown, type?: string): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  if (value.includes('\n') || type === 'QUOTE_DOUBLE') return JSON.stringify(value)
  if (type === 'QUOTE_SINGLE') return `'${value.replaceAll("'", "''")}'`
  return stringify(value, OPTIONS).trimEnd()
}

/** Returns a member of the map or list; undefined if it comes from a merge key of the map. */
function findItem(collection: Collection, key: Key): Item | undefined {
  if (isSeq(collection)) return collection.items[Number(key)]
  return collection.items.find(
    (pair) => isScalar(pair.key) && String(pair.key.value) === String(key),
  )
}

function findStart(item: Item): number {
  return isPair(item) ? item.key.range[0] : item.range[0]
}

/** Returns the end of the item's text, before a comment that follows the item. */
function findEnd(item: Item): number {
  if (isPair(item)) {
    const { key, value } = item
    return findEnd(value !== null && value.range[0] < value.range[1] ? value : key)
  }
  const last = isCollection(item) && item.flow !== true ? item.items.at(-1) : undefined
  return last === undefined ? item.range[1] : findEnd(last)
}

/** Returns the comments in a part of a document. */
function findComments(text: string): string[] {
  const lexemes = [...new Lexer().lex(text)]
  return lexemes.filter((each, index) => each.startsWith('#') && lexemes[index - 1] !== SCALAR)
}

/** The lexer puts this character before a scalar. */
const SCALAR = '\u001F'

interface Member {
  readonly key: Key
  /** Identifies the member before and after the change. */
  readonly id: string
  readonly value: unknown
}

/**
 * Lists the members of an object or a list. An element of a list, such as a container, is identified by its name, and by its
 * number among the elements with this name.
 */
function listMembers(value: unknown): Member[] {
  if (typeof value !== 'object' || value === null) return []
  if (!Array.isArray(value))
    return Object.entries(value).map(([key, member]) => ({ key, id: key, value: member }))
  const counts = new Map<string, number>()
  return value.map((element: unknown, key) => {
    const name =
      typeof element === 'object' && element !== null && 'name' in element
        ? String(element.name)
        : ''
    const count = counts.get(name) ?? 0
    counts.set(name, count + 1)
    return { key, id: `${count} ${name}`, value: element }
  })
}
