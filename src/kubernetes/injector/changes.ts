/** The difference between a document and a grown copy of it, as additions and replacements. */
import { isDeepStrictEqual } from 'node:util'

export type Key = string | number

/** One change. Nothing is ever removed. */
export interface Change {
  readonly op: 'add' | 'replace'
  /** The object or array that changes: its path in the document as it was. */
  readonly parent: readonly Key[]
  /** A member's name, or the index (in the array as it was) before which to add. */
  readonly at: Key
  /** Where the value is in the document once this change and all before it are made. */
  readonly path: readonly Key[]
  readonly value: unknown
}

/** One operation of a JSON Patch (RFC 6902). */
export interface Operation {
  readonly op: 'add' | 'replace'
  readonly path: string
  readonly value: unknown
}

/** The changes that turn `before` into `after`, in an order in which they can be made. */
export function changesBetween(before: object, after: object): Change[] {
  return differences(before, after, [], [])
}

/** The changes as a JSON Patch. */
export function jsonPatch(changes: readonly Change[]): Operation[] {
  return changes.map(({ op, path, value }) => ({ op, path: pointer(path), value }))
}

/** A JSON Pointer (RFC 6901). */
function pointer(path: readonly Key[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function differences(
  before: object,
  after: object,
  was: readonly Key[],
  is: readonly Key[],
): Change[] {
  if (Array.isArray(before) && Array.isArray(after)) return listDifferences(before, after, was, is)
  return Object.entries(after).flatMap(([key, value]) =>
    Object.hasOwn(before, key)
      ? valueDifferences(Reflect.get(before, key), value, [was, key], [...is, key])
      : { op: 'add' as const, parent: was, at: key, path: [...is, key], value: value as unknown },
  )
}

/** Elements are told apart by their names: those that are not in the old list were added. */
function listDifferences(
  before: readonly unknown[],
  after: readonly unknown[],
  was: readonly Key[],
  is: readonly Key[],
): Change[] {
  let old = 0
  return after.flatMap((value, index): Change[] => {
    const path = [...is, index]
    if (old < before.length && isSameElement(before[old], value)) {
      return valueDifferences(before[old], value, [was, old++], path)
    }
    return [{ op: 'add', parent: was, at: old, path, value }]
  })
}

function valueDifferences(
  before: unknown,
  after: unknown,
  [parent, at]: readonly [readonly Key[], Key],
  path: readonly Key[],
): Change[] {
  if (isDeepStrictEqual(before, after)) return []
  const isGrown = isCollection(before) && isCollection(after) && canGrow(before, after)
  if (isGrown) return differences(before, after, [...parent, at], path)
  return [{ op: 'replace', parent, at, path, value: after }]
}

/** False if something of the old value would have to be removed, and where there is nothing to keep. */
function canGrow(before: object, after: object): boolean {
  if (Array.isArray(before) !== Array.isArray(after)) return false
  if (Object.keys(before).length === 0) return false
  if (!Array.isArray(before) || !Array.isArray(after)) {
    return Object.keys(before).every((key) => Object.hasOwn(after, key))
  }
  let old = 0
  for (const value of after) if (isSameElement(before[old], value)) old++
  return old === before.length
}

function isSameElement(before: unknown, after: unknown): boolean {
  const name = nameOf(before)
  return name === undefined ? isDeepStrictEqual(before, after) : name === nameOf(after)
}

function nameOf(value: unknown): unknown {
  return isCollection(value) ? Reflect.get(value, 'name') : undefined
}

function isCollection(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Changes of what is at a path of a larger document. */
export interface ChangesBelow {
  readonly path: readonly Key[]
  readonly changes: readonly Change[]
}

/** A copy of the document with all the changes made. */
export function withChanges(document: unknown, all: readonly ChangesBelow[]): unknown {
  // By way of JSON, since a YAML document's aliases share one object in several places.
  const copy: unknown = JSON.parse(JSON.stringify(document))
  for (const { path, changes } of all) {
    const root = path.reduce<unknown>(memberOf, copy)
    for (const change of changes) make(change, root)
  }
  return copy
}

function make({ op, path, value }: Change, root: unknown): void {
  const parent = path.slice(0, -1).reduce<unknown>(memberOf, root)
  const key = path.at(-1)
  if (!isCollection(parent) || key === undefined) throw new Error(`no ${pointer(path)}`)
  if (op === 'add' && Array.isArray(parent)) parent.splice(Number(key), 0, value)
  else Reflect.set(parent, key, value)
}

function memberOf(value: unknown, key: Key): unknown {
  return isCollection(value) ? Reflect.get(value, key) : undefined
}
