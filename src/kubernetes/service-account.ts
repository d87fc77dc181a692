/** The annotations of a ServiceAccount, which name the identity of its pods. */
import * as z from 'zod/mini'
import type { Problem } from '../lib/errors.ts'
import { suggest } from '../lib/suggest.ts'
import { type ApiServer, ifFound } from './api-client.ts'

/** Annotations of a pod's ServiceAccount. */
export type ServiceAccountAnnotations = Readonly<Record<string, string | undefined>>

/** The annotations of a ServiceAccount that name its identity. */
export const CLIENT_ID = 'azure.workload.identity/client-id'
export const TENANT_ID = 'azure.workload.identity/tenant-id'

/** The prefix of the annotations of azure-workload-identity. */
export const AZWI_PREFIX = 'azure.workload.identity/'

/** The label of the pods that the webhook of azure-workload-identity selects, and whose tokens it projects. */
export const USE_LABEL = `${AZWI_PREFIX}use`

/** The annotations of ServiceAccounts and pods that azure-workload-identity reads. */
const KNOWN = [
  'client-id',
  'tenant-id',
  'service-account-token-expiration',
  'skip-containers',
  'inject-proxy-sidecar',
  'proxy-sidecar-port',
  'use-identity-binding',
]

/**
 * Returns a problem for each annotation of azure-workload-identity that is unknown but resembles a known one. Other names may
 * be of a later version, as may names that begin with `use`.
 */
export function findMisspelt(
  annotations: Readonly<Record<string, string>> | null | undefined,
): Problem[] {
  return Object.keys(annotations ?? {}).flatMap((key) => {
    const name = key.slice(AZWI_PREFIX.length)
    if (!key.startsWith(AZWI_PREFIX) || name.startsWith('use') || KNOWN.includes(name)) return []
    const suggestion = suggest(name, KNOWN, AZWI_PREFIX)
    if (suggestion === '') return []
    const problem = `the annotation ${key} is unknown and has no effect${suggestion}`
    return [{ problem, fix: 'correct its name, or remove it' }]
  })
}

/** The annotation for each variable of a sidecar or gate that has its value. */
export const ACCOUNT_ANNOTATIONS: ReadonlyMap<string, string> = new Map([
  ['AZURE_CLIENT_ID', CLIENT_ID],
  ['AZURE_TENANT_ID', TENANT_ID],
])

/** Formats a problem of a ServiceAccount's annotation. `problem` completes "the annotation …". */
export function formatAccountProblem(annotation: string, account: string, problem: string): string {
  return `the annotation ${annotation} of the ServiceAccount ${account} ${problem}. Fix: correct the annotation`
}

/** Annotations can have 256 KiB; the rest of the metadata is small. */
const MAX_ACCOUNT_BYTES = 1024 * 1024
/** The maximum length of an annotation, above any GUID or domain name. Many pods may wait with theirs in memory. */
const MAX_LENGTH = 256
/** Asks for the metadata only: a ServiceAccount may list thousands of Secrets. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'

const ServiceAccount = z.object({
  metadata: z.object({
    annotations: z.nullish(
      z.object({ [CLIENT_ID]: z.optional(z.string()), [TENANT_ID]: z.optional(z.string()) }),
    ),
  }),
})

interface Account {
  readonly namespace: string
  readonly name: string
  /** The time limit of the call, in milliseconds; by default the limit of any call. */
  readonly timeoutMs?: number
}

/** The two annotations that name an identity, or why they cannot be used. */
export type AccountResult =
  | { readonly annotations: ServiceAccountAnnotations }
  /** Completes "the ServiceAccount NAMESPACE/NAME …". */
  | { readonly problem: string }

/** Reads the annotations. Throws the errors of `ApiServer`. */
export async function readServiceAccount(
  api: ApiServer,
  { namespace, name, ...limits }: Account,
): Promise<AccountResult> {
  const call = {
    action: 'read it',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`,
    accept: METADATA_ONLY,
    maxBytes: MAX_ACCOUNT_BYTES,
    ...limits,
  }
  const account = await ifFound(api.call(call, ServiceAccount))
  if (account === undefined) return { problem: 'does not exist. Fix: create it' }
  const annotations = account.metadata.annotations ?? {}
  const [long] =
    Object.entries(annotations).find(([, value = '']) => value.length > MAX_LENGTH) ?? []
  if (long === undefined) return { annotations }
  return {
    problem: `has an annotation ${long} of more than ${MAX_LENGTH} characters. Fix: correct it`,
  }
}
