/** What an identities file holds. docs/identities.schema.json says the same to editors. */
import * as z from 'zod/mini'
import { authorityHost, guid, quote, reading, resource, tenant } from './values.ts'

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,119}$/
const ARM_ID = /^(?:\/[^\s/]+)+$/

const name = reading((text) => {
  if (!NAME.test(text)) {
    throw new Error(
      `must be up to 120 letters, digits, blanks and . _ - that begin with a letter or digit, not ${quote(text)}`,
    )
  }
  return text
})

const resourceId = reading((text) => {
  if (!ARM_ID.test(text)) {
    throw new Error(`must be an Azure resource id, /subscriptions/…, not ${quote(text)}`)
  }
  return text.toLowerCase()
})

const tokenFile = reading((text) => {
  if (!text.startsWith('/')) throw new Error(`must be an absolute path, not ${quote(text)}`)
  return text
})

const IdentityEntry = z.strictObject({
  name: z.optional(name),
  clientId: guid,
  tenantId: z.optional(tenant),
  objectId: z.optional(guid),
  resourceId: z.optional(resourceId),
  authorityHost: z.optional(authorityHost),
  tokenFile: z.optional(tokenFile),
  resources: z.optional(z.array(resource).check(z.minLength(1))),
  prefetch: z.optional(z.array(resource)),
  default: z.optional(z.boolean()),
})

export type IdentityEntry = z.infer<typeof IdentityEntry>

export const IdentitiesFile = z.strictObject({
  identities: z.array(IdentityEntry).check(z.minLength(1)),
})
