/**
 * What Entra ID's AADSTS codes mean for this flow, and what an operator does about each.
 *
 * Microsoft adds digits to a code for its variants (70021 became 700211, 7002138 …), so a code is
 * found by its longest known prefix (E6).
 */
import { type Explanation, EXPLANATIONS } from './aadsts-table.ts'

/** Codes whose longer neighbours mean something else, as 700231 has nothing to do with 70023. */
const WITHOUT_VARIANTS = new Set(['70023', '70003', '50000'])
const LONGEST = 8
const SHORTEST = 5

/** The explanation of an AADSTS number, by its longest known prefix; undefined for an unknown one. */
export function explainAadsts(aadsts: number): Explanation | undefined {
  const digits = String(aadsts)
  for (let length = Math.min(digits.length, LONGEST); length >= SHORTEST; length -= 1) {
    const prefix = digits.slice(0, length)
    const found = EXPLANATIONS[prefix]
    if (found === undefined || (prefix !== digits && WITHOUT_VARIANTS.has(prefix))) continue
    return found
  }
  return undefined
}
