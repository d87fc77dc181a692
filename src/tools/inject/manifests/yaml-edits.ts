/**
 * Finds the text edits that turn one value inside a YAML document into another. The yaml library finds the
 * ranges of nodes, and text is spliced there in the style around it, so every other line keeps its bytes.
 */
import { isDeepStrictEqual } from 'node:util'
import { isMap, isSeq, type Node, stringify, type YAMLMap, type YAMLSeq } from 'yaml'
import {
  addToFlow,
  indent,
  findLineEnd,
  findLineStart,
  removeFromFlow,
  type TextEdit,
} from './text-edits.ts'
import {
  asNode,
  getColumn,
  findContentEnd,
  findMember,
  findPlace,
  isFlow,
  isQuoted,
  type Key,
  type Place,
  getRange,
  UneditableError,
  type YamlDocument,
} from './yaml-nodes.ts'

type JsonObject = Readonly<Record<string, unknown>>
/** An element of a list that its name identifies, such as a container. */
type Named = JsonObject & { readonly name: string }

/**
 * Returns the edits that turn the value at the path from `before` into `after`. Throws `UneditableError`
 * if a change would fall into an alias, a merge key or a layout that cannot be extended.
 */
export function findEdits(
  yaml: YamlDocument,
  path: readonly Key[],
  before: unknown,
  after: unknown,
): TextEdit[] {
  const root = findPlace(yaml, path)
  const edits = new Editor(yaml, areListsIndented(yaml, path)).editValue(root, before, after)
  // Line breaks as in the rest of the file.
  return yaml.source.includes('\r\n')
    ? edits.map((edit) => ({ ...edit, text: edit.text.replaceAll(/\r?\n/g, '\r\n') }))
    : edits
}

/** Finds the edits of one document. */
class Editor {
  readonly #yaml: YamlDocument
  readonly #source: string
  readonly #hasIndentedLists: boolean

  constructor(yaml: YamlDocument, hasIndentedLists: boolean) {
    this.#yaml = yaml
    this.#source = yaml.source
    this.#hasIndentedLists = hasIndentedLists
  }

  /** Returns the edits that turn the value at the place from `old` into `value`. */
  editValue(place: Place, old: unknown, value: unknown): TextEdit[] {
    if (isDeepStrictEqual(old, value)) return []
    if (isObject(old) && isObject(value) && isMap(place.node)) {
      return this.#editMap(place, place.node, old, value)
    }
    if (isNamedList(old) && isNamedList(value) && isSeq(place.node)) {
      return this.#editList(place, place.node, old, value)
    }
    return this.#replaceValue(place, value)
  }

  #editMap(place: Place, node: YAMLMap, old: JsonObject, value: JsonObject): TextEdit[] {
    const isEmpty = Object.keys(old).length === 0
    const removed = Object.keys(old).filter((key) => !Object.hasOwn(value, key))
    const added = Object.entries(value).filter(([key]) => !Object.hasOwn(old, key))
    const keepsNone = removed.length === Object.keys(old).length
    if (isEmpty || (isFlow(node) && removed.length > 0 && (added.length > 0 || keepsNone))) {
      return this.#replaceValue(place, value)
    }
    return [
      ...this.#removeMembers(place, node, removed),
      ...Object.keys(value)
        .filter((key) => Object.hasOwn(old, key))
        .flatMap((key) => {
          if (isDeepStrictEqual(old[key], value[key])) return []
          return this.editValue(findMember(this.#yaml, place, key), old[key], value[key])
        }),
      ...(added.length > 0 ? [this.#addMembers(node, added)] : []),
    ]
  }

  #editList(
    place: Place,
    node: YAMLSeq,
    old: readonly Named[],
    value: readonly Named[],
  ): TextEdit[] {
    const { kept, added, removed } = alignLists(old, value)
    if (isFlow(node) && removed.length > 0 && (added.size > 0 || kept.length === 0)) {
      return this.#replaceValue(place, value)
    }
    return [
      ...(isFlow(node)
        ? removeFromFlow(this.#source, node, removed)
        : removed.map((index) => this.#removeElement(node, index))),
      ...kept.flatMap(([index, element]) =>
        isDeepStrictEqual(old[index], element)
          ? []
          : this.editValue(findMember(this.#yaml, place, index), old[index], element),
      ),
      ...[...added].map(([index, elements]) => this.#addElements(place, node, index, elements)),
    ]
  }

  #addMembers(node: YAMLMap, members: readonly (readonly [string, unknown])[]): TextEdit {
    if (isFlow(node)) {
      return addToFlow(
        this.#source,
        node,
        node.items.length,
        members.map(([key, value]) => ({ key, value })),
      )
    }
    const text = indent(this.#print(Object.fromEntries(members)), getColumn(node))
    return this.#insertLines(this.#skipContent(findContentEnd(node), getColumn(node)), text)
  }

  #addElements({ key }: Place, node: YAMLSeq, index: number, elements: readonly Named[]): TextEdit {
    if (isFlow(node)) {
      return addToFlow(
        this.#source,
        node,
        index,
        elements.map((value) => ({ value })),
      )
    }
    const text = indent(this.#print(elements), getColumn(node))
    const at =
      index === 0
        ? this.#skipKey(key)
        : this.#skipContent(findContentEnd(asNode(node.items[index - 1])), getColumn(node) + 1)
    return this.#insertLines(at, text)
  }

  #removeMembers(place: Place, map: YAMLMap, keys: readonly string[]): TextEdit[] {
    const members = keys.map((key) => findMember(this.#yaml, place, key))
    const indexes = members.map(({ key }) => map.items.findIndex((pair) => pair.key === key))
    if (isFlow(map)) return removeFromFlow(this.#source, map, indexes)
    return members.map(({ node, key }, index) => {
      const start = getRange(asNode(key))[0]
      const next = map.items[(indexes[index] ?? 0) + 1]
      // The first member of a list's element is in the line of the dash.
      return this.#isAfterDash(start) && next !== undefined
        ? { start, end: getRange(asNode(next.key))[0], text: '' }
        : this.#removeLines(start, findContentEnd(node), /^[ ]*$/)
    })
  }

  #isAfterDash(offset: number): boolean {
    return /^[ ]*-[ -]*$/.test(this.#source.slice(findLineStart(this.#source, offset), offset))
  }

  #removeElement(node: YAMLSeq, index: number): TextEdit {
    const item = asNode(node.items[index])
    return this.#removeLines(getRange(item)[0], findContentEnd(item), /^[ ]*-[ ]*$/)
  }

  /** Removes whole lines. Only text that `prefix` matches may precede the offset in its line. */
  #removeLines(start: number, end: number, prefix: RegExp): TextEdit {
    const from = findLineStart(this.#source, start)
    if (!prefix.test(this.#source.slice(from, start))) {
      throw new UneditableError(
        `nothing can be removed from ${quoteLine(this.#source, start)}`,
        start,
      )
    }
    return {
      start: from,
      end: this.#source[end - 1] === '\n' ? end : this.#requireLineEnd(end),
      text: '',
    }
  }

  #replaceValue({ node, key, parent }: Place, value: unknown): TextEdit[] {
    const [start, end] = getRange(node)
    if (isFlow(parent)) return [{ start, end, text: JSON.stringify(value) }]
    if (isEmptyText(this.#source.slice(start, end)) && key !== undefined && isMap(parent)) {
      return this.#fillValue(parent, key, start, end, value)
    }
    if (isFlow(node) || isQuoted(node)) return [{ start, end, text: JSON.stringify(value) }]
    const last = findContentEnd(node)
    const contentStop = this.#source[last - 1] === '\n' ? last - 1 : last
    if (isEmptyCollection(value) && key !== undefined) {
      const colon = this.#source.indexOf(':', getRange(key)[1])
      return [{ start: colon + 1, end: contentStop, text: ` ${JSON.stringify(value)}` }]
    }
    const column = start - findLineStart(this.#source, start)
    return [{ start, end: contentStop, text: indent(this.#print(value), column).trim() }]
  }

  /** Writes the value of `key:`, `key: []` or `key: {}` into the lines after it. */
  #fillValue(parent: YAMLMap, key: Node, start: number, end: number, value: unknown): TextEdit[] {
    if (isEmptyCollection(value)) return [{ start, end, text: JSON.stringify(value) }]
    const column = getColumn(parent) + (Array.isArray(value) && !this.#hasIndentedLists ? 0 : 2)
    const colon = this.#source.indexOf(':', getRange(key)[1])
    // Without a value the blank after the colon stays: a comment needs it.
    const cleared = start === end ? [] : [{ start: Math.min(start, colon + 1), end, text: '' }]
    return [
      ...cleared,
      this.#insertLines(this.#requireLineEnd(end), indent(this.#print(value), column)),
    ]
  }

  /** Prints YAML that parsers of YAML 1.1, such as kubectl's, read the same way. */
  #print(value: unknown): string {
    return stringify(value, {
      aliasDuplicateObjects: false,
      compat: 'yaml-1.1',
      indentSeq: this.#hasIndentedLists,
      lineWidth: 0,
    })
  }

  #insertLines(at: number, text: string): TextEdit {
    const isAfterLastLine = at === this.#source.length && at > 0 && this.#source[at - 1] !== '\n'
    return { start: at, end: at, text: isAfterLastLine ? `\n${text.trimEnd()}` : text }
  }

  /** Returns the offset after the line in which the content ends, and after the comments that belong to it. */
  #skipContent(end: number, column: number): number {
    let at = end > 0 && this.#source[end - 1] === '\n' ? end : this.#requireLineEnd(end)
    while (/^ *#/.test(this.#source.slice(at, findLineEnd(this.#source, at)))) {
      if (this.#source.indexOf('#', at) - at < column) break
      at = findLineEnd(this.#source, at)
    }
    return at
  }

  /** Returns the offset after the line of a list's key: before the comments of its first element. */
  #skipKey(key: Node | undefined): number {
    if (key === undefined) throw new UneditableError('a list has no key')
    return this.#requireLineEnd(this.#source.indexOf(':', getRange(key)[1]) + 1)
  }

  /** Returns the end of the line. Throws an `UneditableError` if more than blanks and a comment follow the offset. */
  #requireLineEnd(offset: number): number {
    const end = findLineEnd(this.#source, offset)
    if (!/^[ \t]*(?:#.*)?\r?\n?$/.test(this.#source.slice(offset, end))) {
      throw new UneditableError(
        `nothing can be added after ${quoteLine(this.#source, offset)}`,
        offset,
      )
    }
    return end
  }
}

/** Follows the workload's own style, as its containers show it. */
function areListsIndented(yaml: YamlDocument, path: readonly Key[]): boolean {
  const { node, parent } = findPlace(yaml, [...path, 'spec', 'containers'])
  if (!isSeq(node) || !isMap(parent) || isFlow(node)) return true
  return getColumn(node) > getColumn(parent)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns true for a list of objects with names. */
function isNamedList(value: unknown): value is readonly Named[] {
  if (!Array.isArray(value) || value.length === 0) return false
  return value.every((each: unknown) => isObject(each) && typeof each['name'] === 'string')
}

/** Returns a key for each element: its name, and which of those with that name it is, since a list may repeat one. */
function createKeys(list: readonly Named[]): string[] {
  const counts = new Map<string, number>()
  return list.map(({ name }) => {
    const count = counts.get(name) ?? 0
    counts.set(name, count + 1)
    return `${count} ${name}`
  })
}

interface Alignment {
  readonly kept: readonly (readonly [oldIndex: number, value: Named])[]
  /** Elements to add before an index of the old list. */
  readonly added: ReadonlyMap<number, readonly Named[]>
  readonly removed: readonly number[]
}

/** Aligns two lists by the names of their elements. One that has moved is removed and added. */
function alignLists(old: readonly Named[], value: readonly Named[]): Alignment {
  const oldKeys = createKeys(old)
  const newKeys = createKeys(value)
  const wanted = new Set(newKeys)
  const kept: (readonly [number, Named])[] = []
  const added = new Map<number, Named[]>()
  const removed = new Set(oldKeys.flatMap((key, index) => (wanted.has(key) ? [] : [index])))
  const indexes = new Map(oldKeys.map((key, index) => [key, index]))
  let at = 0
  for (const [newIndex, element] of value.entries()) {
    while (removed.has(at)) at += 1
    const oldIndex = indexes.get(newKeys[newIndex] ?? '')
    if (oldIndex === at) {
      kept.push([at, element])
      at += 1
      continue
    }
    if (oldIndex !== undefined) removed.add(oldIndex)
    added.set(at, [...(added.get(at) ?? []), element])
  }
  return { kept, added, removed: [...removed] }
}

function isEmptyCollection(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function isEmptyText(text: string): boolean {
  return ['', '~', 'null', 'Null', 'NULL', '[]', '{}'].includes(text)
}

function quoteLine(source: string, offset: number): string {
  return JSON.stringify(
    source.slice(findLineStart(source, offset), findLineEnd(source, offset)).trim(),
  )
}
