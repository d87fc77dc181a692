/** The header `Metadata: true`, by which the paths of IMDS and Cloud Shell refuse requests that a browser or proxy was led to send. */
import { BrokerError } from '../../lib/errors.ts'
import type { WireRequest } from './dialect.ts'

/** Throws `metadata_header_missing` unless the request has `Metadata: true`, in any case (R6). */
export function requireMetadataHeader({ headers }: Pick<WireRequest, 'headers'>): void {
  const value = headers['metadata']
  if (typeof value !== 'string' || value.toLowerCase() !== 'true') {
    throw new BrokerError(
      'metadata_header_missing',
      'Required metadata header not specified',
      'send the header Metadata: true, unless this is the probe of an SDK',
    )
  }
}
