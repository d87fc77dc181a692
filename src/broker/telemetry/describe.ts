/** Describes resources, claims and times for the log and the status. Texts from callers and other servers are scrubbed. */
import { toLine } from '../../lib/printable.ts'
import { scrub } from '../../lib/secret.ts'
import type { Asked } from '../server/reply.ts'
import { type Assertion, truncateClaims } from '../exchange/assertion.ts'
import { type Clock, toWallTime } from '../tokens/lifetime.ts'
import type { TokenRequest } from '../tokens/token.ts'
import type { StatusDocument } from './status-schema.ts'
import { toResource } from '../../lib/resource.ts'

/** Returns the claims of a projected token, one line each. People compare them with a credential, so they are not scrubbed. */
export function describeClaims(assertion: Assertion) {
  const { issuer, subject, audience } = truncateClaims(assertion)
  return {
    issuer: toLine(issuer),
    subject: toLine(subject),
    audience: audience.map(toLine),
    expiresAt: new Date(assertion.expiresAt).toISOString(),
  }
}

/** Returns the resource of a scope; a resource stays as it is. */
export function describeResource(scope: string): string {
  return scrub(toResource(scope))
}

/** Returns identity, client id and resource of a token request, as far as they are known. */
export function describeAsked({ query: { selector, resource }, request }: Asked) {
  const identity = request?.identity
  const requested = selector.by === 'clientId' ? scrub(selector.value) : undefined
  const clientId = identity?.clientId ?? requested
  return {
    ...(identity && { identity: identity.name }),
    ...(clientId !== undefined && { clientId }),
    resource: describeResource(resource),
  }
}

/** Returns identity, client id and scope of a request to the token cache. Callers choose the scope, so it is scrubbed. */
export function describeRequest({ identity, scope }: TokenRequest) {
  return { identity: identity.name, clientId: identity.clientId, scope: scrub(scope) }
}

/** Formats an instant of the monotonic clock, by the wall clock as it is set now. */
export function formatInstant(at: number, clock: Clock): string {
  return new Date(toWallTime(at, clock)).toISOString()
}

/** Returns `NAMESPACE/SERVICEACCOUNT`; the host where these are not known. */
export function formatWorkload({
  host,
  namespace,
  serviceAccount,
}: Omit<StatusDocument['workload'], 'inPod'>): string {
  return namespace === undefined ? host : `${namespace}/${serviceAccount ?? host}`
}
