/** The Conditional Access policies that a refusal of Entra ID names. */
import * as z from 'zod/mini'

const MAX_NAMED = 5

const Claims = z.object({
  access_token: z.object({ capolids: z.object({ values: z.array(z.unknown()) }) }),
})
const PolicyId = z.guid()

/**
 * The policies in the `claims` of a refusal, as a phrase for people; undefined if it names none. The
 * claims are a text with JSON in it (E7). Only GUIDs are repeated, and five at most.
 */
export function policiesIn(claims: string | undefined): string | undefined {
  const values = Claims.safeParse(parsed(claims ?? '')).data?.access_token.capolids.values ?? []
  const ids = [...new Set(values)].filter((value) => PolicyId.safeParse(value).success)
  if (ids.length === 0) return undefined
  const rest = ids.length - MAX_NAMED
  const named = ids.slice(0, MAX_NAMED).join(', ')
  return `Conditional Access policy ${named}${rest > 0 ? ` and ${rest} more` : ''}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
