/** Reads what exists in Azure from the JSON that `az … list` prints. */
import { basename } from 'node:path'
import * as z from 'zod/mini'
import { isGuid } from '../../lib/grammars.ts'
import { parseJson } from '../../lib/json.ts'
import {
  formatManagedIdentityId,
  type ManagedIdentityId,
  parseManagedIdentityId,
} from '../managed-identity.ts'
import { quoteForShell } from '../shell.ts'

export type IdentityKind = 'managed-identity' | 'application'

/** The facts of an identity that is not in the manifests. */
export interface KnownIdentity {
  readonly clientId: string
  readonly kind: IdentityKind
  /** The resource id of a managed identity. */
  readonly id?: ManagedIdentityId | undefined
}

export interface ExistingCredential {
  readonly name: string
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
}

/** The credentials of one identity, which is named by the file or by the credentials in it. */
export interface ExistingList {
  /** The name of the file. */
  readonly source: string
  readonly identity: string | ManagedIdentityId | undefined
  readonly credentials: readonly ExistingCredential[]
}

interface JsonFile {
  readonly name: string
  readonly source: string
}

const Guid = z.pipe(
  z.string().check(z.refine(isGuid)),
  z.transform((text: string) => text.toLowerCase()),
)

const ManagedIdentity = z.pipe(
  z.object({
    clientId: Guid,
    id: z.string().check(z.refine((text) => parseManagedIdentityId(text) !== undefined)),
  }),
  z.transform(({ id, ...identity }): KnownIdentity => ({
    ...identity,
    kind: 'managed-identity',
    id: parseManagedIdentityId(id),
  })),
)

const Application = z.pipe(
  z.object({ appId: Guid }),
  z.transform(({ appId }): KnownIdentity => ({ clientId: appId, kind: 'application' })),
)

const ListedIdentity = z.union([ManagedIdentity, Application])

/** Parses the output of `az identity list` or `az ad app list`. Adds a problem for a file or an element of another kind. */
export function parseIdentityList({ name, source }: JsonFile, problems: string[]): KnownIdentity[] {
  const items = z.array(z.unknown()).safeParse(parseJson(source)).data
  if (items === undefined) {
    problems.push(
      `${name}: is not the output of az identity list or az ad app list with -o json. Fix: az identity list -o json > ${quoteForShell(name)}`,
    )
  }
  return (items ?? []).flatMap((item, index) => {
    const known = ListedIdentity.safeParse(item).data
    if (known !== undefined) return [known]
    problems.push(
      `${name}: element ${index} has neither the clientId and id of a managed identity nor the appId of an application. Fix: pass the output of az identity list or az ad app list as it is`,
    )
    return []
  })
}

const Credential = z.object({
  id: z.optional(z.string()),
  name: z.string(),
  issuer: z.string(),
  subject: z.nullish(z.string()),
  audiences: z.array(z.string()),
})

/**
 * Parses the output of `az identity federated-credential list`, also of several identities, or of `az ad app
 * federated-credential list`. The file's name CLIENT_ID.json gives the identity, or else the credentials' resource ids.
 */
export function parseExistingLists({ name, source }: JsonFile, problems: string[]): ExistingList[] {
  const parsed = z.array(Credential).safeParse(parseJson(source))
  if (!parsed.success) {
    problems.push(
      `${name}: is not the output of az identity federated-credential list or az ad app federated-credential list with -o json. Fix: write that output to it`,
    )
    return []
  }
  const credentials = parsed.data.map(({ id = '', subject, ...credential }) => ({
    id: parseManagedIdentityId(id),
    credential: { ...credential, subject: subject ?? '' },
  }))
  const stem = basename(name).replace(/\.json$/i, '')
  const groups = Map.groupBy(credentials, ({ id }) =>
    isGuid(stem) || id === undefined ? '' : formatManagedIdentityId(id).toLowerCase(),
  )
  const lists = groups.size === 0 ? [[]] : [...groups.values()]
  return lists.map((list) => ({
    source: name,
    identity: isGuid(stem) ? stem.toLowerCase() : list[0]?.id,
    credentials: list.map(({ credential }) => credential),
  }))
}
