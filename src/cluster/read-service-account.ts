/** Reads the annotations of a ServiceAccount, which name the identity of its pods. */
import * as z from 'zod/mini'
import { type ApiServer, ifFound } from './api-client.ts'
import type { ServiceAccountAnnotations } from './injector/injection-plan.ts'

/** Annotations alone can have 256 KiB; the rest of the metadata is small. */
const MAX_ACCOUNT_BYTES = 1024 * 1024
/** The metadata alone: a ServiceAccount may list thousands of Secrets. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'

const ServiceAccount = z.object({
  metadata: z.object({ annotations: z.nullish(z.record(z.string(), z.string())) }),
})

/**
 * Returns the annotations; undefined if there is no such account. The time limit is by default that of any other call.
 * Throws what the client of the API server throws.
 */
export async function readServiceAccount(
  api: ApiServer,
  place: { readonly namespace: string; readonly name: string; readonly timeoutMs?: number },
): Promise<ServiceAccountAnnotations | undefined> {
  const { namespace, name, ...limit } = place
  const call = {
    action: 'read it',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`,
    accept: METADATA_ONLY,
    maxBytes: MAX_ACCOUNT_BYTES,
    ...limit,
  }
  const account = await ifFound(api.call(call, ServiceAccount))
  return account && (account.metadata.annotations ?? {})
}
