/** Suggests what a misspelt word may have been meant to be. */
import { closestMatch } from 'leven'

/**
 * Returns `. Did you mean …?` with the candidate that begins with the word, or else is most like it, in upper or lower case;
 * empty if none is.
 */
export function suggest(word: string, candidates: readonly string[], prefix = ''): string {
  const byLowerCase = new Map(candidates.map((each) => [each.toLowerCase(), each]))
  // Two letters that changed places are a distance of 2.
  const maxDistance = word.length < 3 ? 0 : Math.max(2, Math.floor(word.length * 0.4))
  const lower = word.toLowerCase()
  const names = [...byLowerCase.keys()]
  const longer = names.filter((name) => maxDistance > 0 && name.startsWith(lower))
  const match = closestMatch(lower, longer) ?? closestMatch(lower, names, { maxDistance })
  return match === undefined ? '' : `. Did you mean ${prefix}${byLowerCase.get(match)}?`
}
