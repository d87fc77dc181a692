/** Reads what exists in Azure from the JSON that `az … list` prints. */
import { basename } from 'node:path'
import * as z from 'zod/mini'
import { isGuid } from '../../lib/grammars.ts'
import { parseJson } from '../../lib/json.ts'
import { type ManagedIdentityId, parseManagedIdentityId } from '../managed-identity.ts'
import type { ManifestFile } from '../manifest-files.ts'
import { quoteForShell } from '../shell.ts'

/** An identity, from a list of Azure or else from the manifests. */
export interface KnownIdentity {
  readonly clientId: string
  readonly kind: 'managed-identity' | 'application'
  /** The resource id of a managed identity, if it is known. */
  readonly id?: ManagedIdentityId | undefined
}

const Guid = z.pipe(
  z.string().check(z.refine(isGuid)),
  z.transform((text: string) => text.toLowerCase()),
)

const ResourceId = z.pipe(
  z.string().check(z.refine((text) => parseManagedIdentityId(text) !== undefined)),
  z.transform(parseManagedIdentityId),
)

const ManagedIdentity = z.pipe(
  z.object({ clientId: Guid, id: ResourceId }),
  z.transform((identity): KnownIdentity => ({ ...identity, kind: 'managed-identity' })),
)

/** Parses the output of `az identity list`. Adds a problem for another document. */
export function parseIdentityList(
  { name, source }: ManifestFile,
  problems: string[],
): KnownIdentity[] {
  const identities = z.array(ManagedIdentity).safeParse(parseJson(source)).data
  if (identities !== undefined) return identities
  problems.push(
    `${name}: is not the output of az identity list with -o json, whose elements have a clientId and id. Fix: az identity list -o json > ${quoteForShell(name)}`,
  )
  return []
}

const Credential = z.object({
  name: z.string(),
  issuer: z.string(),
  /** Null for a flexible credential, which has an expression. */
  subject: z.pipe(
    z.nullish(z.string()),
    z.transform((text) => text ?? ''),
  ),
  audiences: z.array(z.string()),
})

export type ExistingCredential = Readonly<z.infer<typeof Credential>>

/**
 * Parses the output of `az identity federated-credential list` or `az ad app federated-credential list`. Returns the
 * credentials with the client id of their identity, which the name of the file gives: an empty list does not name it.
 */
export function parseExistingList(
  { name, source }: ManifestFile,
  problems: string[],
): [clientId: string, credentials: ExistingCredential[]][] {
  const clientId = basename(name)
    .replace(/\.json$/i, '')
    .toLowerCase()
  const credentials = z.array(Credential).safeParse(parseJson(source)).data
  if (credentials !== undefined && isGuid(clientId)) return [[clientId, credentials]]
  problems.push(
    credentials === undefined
      ? `${name}: is not the output of az identity federated-credential list or az ad app federated-credential list with -o json. Fix: write that output to it`
      : `${name}: does not say which identity has these credentials. Fix: name the file CLIENT_ID.json`,
  )
  return []
}
