/** Edits values of a YAML document so that their comments, anchors and quotes survive, and prints it. */
import { isDeepStrictEqual } from 'node:util'
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { parseJsonObject } from '../../../lib/json.ts'
import { keepLines } from './keep-lines.ts'

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

/** Makes one change to the document. */
export type Edit = () => void

type JsonObject = Readonly<Record<string, unknown>>
/** An element of a list that its name identifies, such as a container. */
type Named = JsonObject & { readonly name: string }

interface Place {
  readonly node: Node
  readonly path: readonly Key[]
  readonly replace: (node: Node) => void
}

const EXPLODE = "or pass the output of yq 'explode(.)'"
const WRITE_OUT = `write the value out there, ${EXPLODE}`

/** Finds the edits of one document. */
export class DocumentEditor {
  readonly #document: Document
  /** The anchors that aliases name: what they mark is written once and used in several places. */
  readonly #shared = new Set<string>()

  constructor(document: Document) {
    this.#document = document
    visit(document, { Alias: (_, { source }) => void this.#shared.add(source) })
  }

  /**
   * Returns the edits that turn the value at the path from `before` into `after`. Throws an `UneditableError` if a
   * change would fall into an alias, an anchor that is used elsewhere, or a merge key.
   */
  findEdits(path: readonly Key[], before: unknown, after: unknown): Edit[] {
    const root = this.#toPlace(this.#document.contents, [], () => {})
    const place = path.reduce((above, key) => this.#findMember(above, key), root)
    return this.#edit(place, before, after)
  }

  #findMember({ node, path: above }: Place, key: Key): Place {
    const path = [...above, key]
    if (isSeq(node)) {
      const index = Number(key)
      return this.#toPlace(node.items[index], path, (value) => (node.items[index] = value))
    }
    const pair = isMap(node)
      ? node.items.find((each) => isScalar(each.key) && String(each.key.value) === String(key))
      : undefined
    if (pair === undefined) {
      throw new UneditableError(`${path.join('.')} comes from a merge key (<<)`, node, WRITE_OUT)
    }
    return this.#toPlace(pair.value, path, (value) => (pair.value = value))
  }

  #toPlace(value: unknown, path: readonly Key[], replace: Place['replace']): Place {
    const name = path.join('.')
    if (isAlias(value)) {
      throw new UneditableError(`${name} is the alias *${value.source}`, value, WRITE_OUT)
    }
    const node = isNode(value) ? value : this.#document.createNode(value)
    if ('anchor' in node && node.anchor !== undefined && this.#shared.has(node.anchor)) {
      const problem = `${name} has the anchor &${node.anchor}, used elsewhere too,`
      throw new UneditableError(problem, node, `write both values out, ${EXPLODE}`)
    }
    return { node, path, replace }
  }

  #edit(place: Place, old: unknown, value: unknown): Edit[] {
    if (isDeepStrictEqual(old, value)) return []
    const { node, replace } = place
    if (isMap(node) && node.items.length > 0 && isObject(old) && isObject(value)) {
      return this.#editMap(place, node, old, value)
    }
    if (isSeq(node) && isNamedList(old) && isNamedList(value)) {
      return this.#editList(place, node, old, value)
    }
    return [() => replace(this.#createNode(value, node))]
  }

  #editMap(place: Place, map: YAMLMap, old: JsonObject, value: JsonObject): Edit[] {
    const removed = Object.keys(old).filter((key) => !Object.hasOwn(value, key))
    for (const key of removed) this.#findMember(place, key)
    return [
      ...removed.map((key) => () => removePair(map, key)),
      ...Object.entries(value).flatMap(([key, member]) => {
        if (!Object.hasOwn(old, key)) return [() => map.set(key, this.#createNode(member))]
        if (isDeepStrictEqual(old[key], member)) return []
        return this.#edit(this.#findMember(place, key), old[key], member)
      }),
    ]
  }

  #editList(place: Place, list: YAMLSeq, old: readonly Named[], value: readonly Named[]): Edit[] {
    const oldKeys = createKeys(old)
    const newKeys = createKeys(value)
    const indexes = newKeys.map((key) => oldKeys.indexOf(key))
    const edits = indexes.flatMap((index, at) =>
      index === -1 || isDeepStrictEqual(old[index], value[at])
        ? []
        : this.#edit(this.#findMember(place, index), old[index], value[at]),
    )
    if (isDeepStrictEqual(oldKeys, newKeys)) return edits
    const arrange = () => {
      const items = list.items
      const [first] = items
      // The parser takes the comment of the first element for one of the list.
      if (isNode(first) && indexes[0] !== 0 && list.commentBefore != null) {
        first.commentBefore = list.commentBefore
        list.commentBefore = null
      }
      list.items = indexes.map((index, at) =>
        index === -1 ? this.#createNode(value[at]) : items[index],
      )
    }
    return [...edits, arrange]
  }

  /** Creates a node with the comments of the one that it replaces. */
  #createNode(value: unknown, old?: Node): Node {
    const node: Node = this.#document.createNode(value, { aliasDuplicateObjects: false })
    if (old === undefined) return node
    const { comment, commentBefore, spaceBefore } = old
    Object.assign(node, { commentBefore, spaceBefore })
    if (isScalar(node) && isScalar(old) && old.type !== undefined) node.type = old.type
    if (isCollection(node)) node.commentBefore ??= comment ?? null
    else node.comment = comment ?? null
    return node
  }
}

/** Removes a pair, and gives the comments in it to the next pair or to the map. */
function removePair(map: YAMLMap, key: string): void {
  const index = map.items.findIndex((each) => isScalar(each.key) && String(each.key.value) === key)
  const [removed] = map.items.splice(index, 1)
  const next = map.items[index]?.key
  const comments: (string | null | undefined)[] = []
  for (const node of [removed?.key, removed?.value].filter(isNode)) {
    visit(node, {
      Node: (_, { commentBefore, comment }) => void comments.push(commentBefore, comment),
    })
  }
  comments.push(isNode(next) ? next.commentBefore : map.comment)
  const joined = comments.filter((each) => each != null).join('\n')
  if (joined === '') return
  if (isNode(next)) next.commentBefore = joined
  else map.comment = joined
}

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

/**
 * Returns a function that prints the document once it is edited: with the lines of its text that the edits do not
 * concern, and as a whole in the style of its text, which is right for any text.
 */
export function createPrinter(document: Document, text: string): () => string[] {
  if (parseJsonObject(text) !== undefined) return () => [finish(printJson(document, text), text)]
  const before = printYaml(document, text)
  return () => {
    const after = printYaml(document, text)
    return [keepLines(text, before, after), finish(after, text)]
  }
}

/** Returns what was printed with the end, the mark and the line breaks of the text. */
function finish(printed: string, text: string): string {
  const ended = text.endsWith('\n') ? printed : printed.trimEnd()
  const marked = text.startsWith('\uFEFF') ? `\uFEFF${ended}` : ended
  return text.includes('\r\n') ? marked.replaceAll('\n', '\r\n') : marked
}

function printYaml(document: Document, text: string): string {
  const [, key, dash] =
    /^( *)(?:- )?containers:[^\n]*\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)- /m.exec(text) ?? []
  return document.toString({
    flowCollectionPadding: /\{ \S/.test(text),
    indent: /^( +)[^\s#-]/m.exec(text)?.[1]?.length ?? 2,
    indentSeq: key === undefined || dash === undefined || dash.length > key.length,
    lineWidth: 0,
  })
}

declare global {
  interface JSON {
    /** Returns an object that `stringify` prints as the text. TypeScript does not declare it yet. */
    rawJSON(text: string): object
  }
}

/** Prints JSON whose numbers are as they were written: a large integer would lose digits, 1.0 its fraction. */
function printJson(document: Document, text: string): string {
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'number' && node.source !== undefined)
        node.value = JSON.rawJSON(node.source)
    },
  })
  return `${JSON.stringify(document, null, /^\s*\{\r?\n([ \t]+)/.exec(text)?.[1])}\n`
}
