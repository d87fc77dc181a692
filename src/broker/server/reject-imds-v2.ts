/** Rejects the endpoints of IMDSv2 with 403: its clients then fall back to IMDSv1 at once, but they retry after 404 (R7). */
import { BrokerError } from '../../lib/errors.ts'

const IMDS_V2 = /^\/+metadata\/+identity\/+(?:getplatformmetadata|issuecredential)\/*$/i

/** Throws `imdsv2_not_supported` for a path of IMDSv2. */
export function rejectImdsV2(path: string): void {
  if (!IMDS_V2.test(path)) return
  throw new BrokerError(
    'imdsv2_not_supported',
    'IMDSv2 is not supported',
    'use IMDSv1, as clients do by themselves',
  )
}
