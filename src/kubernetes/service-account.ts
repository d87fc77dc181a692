/** The annotations of a ServiceAccount, which name the identity of its pods. */
import * as z from 'zod/mini'
import { type ApiServer, ifFound } from './api-client.ts'

/** The annotations of the pod's ServiceAccount. */
export type ServiceAccountAnnotations = Readonly<Record<string, string>>

/** The annotations of a ServiceAccount that name its identity. */
export const CLIENT_ID = 'azure.workload.identity/client-id'
export const TENANT_ID = 'azure.workload.identity/tenant-id'

/** These annotations by the variables of a sidecar or gate that have their values. */
export const ACCOUNT_ANNOTATIONS: ReadonlyMap<string, string> = new Map([
  ['AZURE_CLIENT_ID', CLIENT_ID],
  ['AZURE_TENANT_ID', TENANT_ID],
])

/** Formats what is wrong with an annotation of a ServiceAccount. `problem` completes "the annotation …". */
export function formatAccountProblem(annotation: string, account: string, problem: string): string {
  return `the annotation ${annotation} of the ServiceAccount ${account} ${problem}. Fix: correct the annotation`
}

/** Annotations can have 256 KiB; the rest of the metadata is small. */
const MAX_ACCOUNT_BYTES = 1024 * 1024
/** Only the metadata: a ServiceAccount may list thousands of Secrets. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'

const ServiceAccount = z.object({
  metadata: z.object({ annotations: z.nullish(z.record(z.string(), z.string())) }),
})

interface Account {
  readonly namespace: string
  readonly name: string
  /** By default the time limit of any other call. */
  readonly timeoutMs?: number
}

/** Returns the annotations; undefined if there is no such account. Throws what the client of the API server throws. */
export async function readServiceAccount(
  api: ApiServer,
  { namespace, name, ...limits }: Account,
): Promise<ServiceAccountAnnotations | undefined> {
  const call = {
    action: 'read it',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`,
    accept: METADATA_ONLY,
    maxBytes: MAX_ACCOUNT_BYTES,
    ...limits,
  }
  const account = await ifFound(api.call(call, ServiceAccount))
  return account && (account.metadata.annotations ?? {})
}
