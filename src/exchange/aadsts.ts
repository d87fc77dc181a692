/**
 * Explains AADSTS codes. Microsoft adds digits to a code for its variants (70021 became 700211, 7002138
 * and so on), so a code is found by its longest known prefix (E6).
 */
import { scrubAndTruncate } from '../secret.ts'
import { type AadstsEntry, AADSTS_TABLE } from './aadsts-table.ts'
import type { Assertion } from './assertion.ts'

/** Codes whose longer neighbours mean something else: 700231 is no variant of 70023. */
const WITHOUT_VARIANTS = new Set(['70023', '70003', '50000'])
const MAX_DIGITS = 8
const MIN_DIGITS = 5

/** Returns the entry of an AADSTS number; undefined for an unknown one, and for none. */
export function explainAadsts(aadsts?: number): AadstsEntry | undefined {
  const digits = String(aadsts ?? '')
  for (let length = Math.min(digits.length, MAX_DIGITS); length >= MIN_DIGITS; length -= 1) {
    const prefix = digits.slice(0, length)
    const entry = AADSTS_TABLE[prefix]
    if (entry === undefined || (prefix !== digits && WITHOUT_VARIANTS.has(prefix))) continue
    return entry
  }
  return undefined
}

const MAX_CLAIM = 300

/** Returns the fix of an entry with the values of this assertion. */
export function formatFix(
  { fix }: Pick<AadstsEntry, 'fix'>,
  { issuer, subject, audience }: Pick<Assertion, 'issuer' | 'subject' | 'audience'>,
): string {
  const claims: Readonly<Record<string, string>> = {
    issuer,
    subject,
    audience: audience.join(', '),
  }
  return fix.replaceAll(/\{(\w+)\}/g, (_, name) => scrubAndTruncate(claims[name] ?? '', MAX_CLAIM))
}
