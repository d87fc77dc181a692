/** How loudly a refused request is logged. */
import type { ErrorCode } from '../errors.ts'

/** What clients' probes are meant to get (R6, R7): every start of every client would shout. */
const PROBES: ReadonlySet<ErrorCode> = new Set([
  'metadata_header_missing',
  'not_found',
  'api_version_invalid',
])
/** Already reported when the exchange or the projected token failed; here it is only passed on. */
const PASSED_ON =
  /^(?:assertion|entra|trust|issuer)_|^(?:application|tenant|resource|policy|request)_refused$/

/** The level for a refusal with this code. */
export function refusalLevel(code: ErrorCode): 'debug' | 'info' | 'warn' | 'error' {
  if (code === 'internal') return 'error'
  if (PROBES.has(code)) return 'debug'
  return PASSED_ON.test(code) ? 'info' : 'warn'
}
