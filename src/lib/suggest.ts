/** Suggests the correct spelling of a word. */
import { closestMatch } from 'leven'

/**
 * Returns `. Did you mean …?` with the candidate that begins with the word, or else with the most similar one. Ignores case.
 * Returns an empty text if no candidate is similar.
 */
export function suggest(word: string, candidates: readonly string[], prefix = ''): string {
  const byLowerCase = new Map(candidates.map((each) => [each.toLowerCase(), each]))
  // Two swapped letters are a distance of 2.
  const maxDistance = word.length < 3 ? 0 : Math.max(2, Math.floor(word.length * 0.4))
  const lower = word.toLowerCase()
  const names = [...byLowerCase.keys()]
  const longer = names.filter((name) => maxDistance > 0 && name.startsWith(lower))
  const match = closestMatch(lower, longer) ?? closestMatch(lower, names, { maxDistance })
  return match === undefined ? '' : `. Did you mean ${prefix}${byLowerCase.get(match)}?`
}
