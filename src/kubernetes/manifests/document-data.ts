/** The data of a document, whose aliases may make it larger than anything can hold. */
import { type Document, isAlias, isCollection, isPair, isScalar } from 'yaml'

/** How many characters aliases may add to a document. */
const MAX_ADDED = 16 * 2 ** 20

/** Counted for each value beside its characters, for what an object takes. */
const VALUE_WEIGHT = 16

/** Counted for each alias, since the library looks through all anchors and aliases for it. */
const ALIAS_WEIGHT = 2048

/**
 * The document as plain values; what aliases name is one object in several places. Throws if an alias
 * names nothing, stands within what it names, or all of them stand for too much.
 */
export function dataOf(document: Document): unknown {
  const mistake = aliasMistake(document)
  if (mistake !== undefined) throw new Error(mistake)
  // The library's own limit counts aliases, however small what they stand for.
  return document.toJS({ maxAliasCount: -1 })
}

/** Why the document's aliases cannot be followed, in time that grows with its text alone. */
function aliasMistake({ contents }: Document): string | undefined {
  /** Of what each anchor stands for; none while that is being weighed. */
  const weights = new Map<string, number | undefined>()
  let added = 0
  let recursive: string | undefined

  function weightOf(node: unknown): number {
    if (isAlias(node)) {
      if (weights.has(node.source) && weights.get(node.source) === undefined)
        recursive = node.source
      const weight = ALIAS_WEIGHT + (weights.get(node.source) ?? 0)
      added += weight
      return weight
    }
    const anchor = isScalar(node) || isCollection(node) ? node.anchor : undefined
    if (anchor !== undefined) weights.set(anchor, undefined)
    const weight = VALUE_WEIGHT + contentWeight(node)
    if (anchor !== undefined) weights.set(anchor, weight)
    return weight
  }

  function contentWeight(node: unknown): number {
    if (isPair(node)) return weightOf(node.key) + weightOf(node.value)
    if (isCollection(node)) return node.items.reduce<number>((sum, item) => sum + weightOf(item), 0)
    return isScalar(node) ? String(node.value).length : 0
  }

  weightOf(contents)
  if (recursive !== undefined) return `the alias *${recursive} stands within what it stands for`
  return added > MAX_ADDED ? 'its aliases stand for too much; write some of them out' : undefined
}
