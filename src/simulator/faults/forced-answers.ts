/** The answers that faults put in place of the real ones. */
import { oversized } from './bodies.ts'
import type { Effects } from './faults.ts'
import type { SocketFault } from '../http/handler.ts'
import { forcedRefusal, refusalResponse } from '../entra/entra-error.ts'
import { sentCorrelationId } from '../entra/token-request.ts'

type Answer = NonNullable<Effects['answer']>
type ForcedAnswer = Exclude<Answer, { kind: 'aadsts' }>

const GATEWAY_PAGE =
  '<!DOCTYPE html><html><head><title>Service Unavailable</title></head><body><h2>Our services are not available right now</h2></body></html>'
const NOT_JSON = '{"token_type":"Bearer","expires_in":35\u0000\ufffd<html>'
/** Statuses for which HTTP, and so `Response`, allows no body. */
const BODYLESS: ReadonlySet<number> = new Set([204, 205, 304])

/** The answer of a fault; a refusal by its AADSTS number is the handler's own. */
export function answerOf(
  answer: ForcedAnswer,
  request: Request,
  now: number,
): Response | SocketFault {
  if (answer.kind === 'hang' || answer.kind === 'reset') return { socket: answer.kind }
  if (answer.kind === 'throttled') {
    const wait = { ...answer, retryAfterSeconds: answer.retryAfterSeconds ?? 60 }
    const headers = { 'content-type': 'text/plain', ...retryAfter(wait, now) }
    return new Response('Too Many Requests', { status: 429, headers })
  }
  if (answer.kind === 'unavailable') return unavailable(answer, request, now)
  if (answer.kind === 'redirect') {
    return new Response(null, { status: answer.status, headers: { location: answer.to } })
  }
  if (answer.kind === 'garbage') {
    return new Response(NOT_JSON, {
      headers: { 'content-type': 'application/json; charset=utf-8' },
    })
  }
  if (answer.kind === 'oversized') return oversized(answer.bytes)
  const { status, body, contentType, headers } = answer
  if (BODYLESS.has(status)) return new Response(null, { status, headers })
  return new Response(body, { status, headers: { 'content-type': contentType, ...headers } })
}

function unavailable(
  answer: Extract<Answer, { kind: 'unavailable' }>,
  request: Request,
  now: number,
): Response {
  const headers = retryAfter(answer, now)
  if (answer.body === 'html') {
    return new Response(GATEWAY_PAGE, {
      status: 503,
      headers: { 'content-type': 'text/html', ...headers },
    })
  }
  if (answer.body === 'empty') {
    return new Response(null, { status: 503, headers: { 'content-length': '0', ...headers } })
  }
  const response = refusalResponse(forcedRefusal(90033), {
    correlationId: sentCorrelationId(request, new URLSearchParams()),
    now,
    origin: new URL(request.url).origin,
  })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}

interface RetryAfter {
  readonly retryAfterSeconds?: number | undefined
  readonly retryAfterAsDate: boolean
}

/** Both forms of RFC 9110 §10.2.3: seconds, or an HTTP date. */
function retryAfter(
  { retryAfterSeconds, retryAfterAsDate }: RetryAfter,
  now: number,
): Readonly<Record<string, string>> {
  if (retryAfterSeconds === undefined) return {}
  const until = new Date(now + retryAfterSeconds * 1000).toUTCString()
  return { 'retry-after': retryAfterAsDate ? until : String(retryAfterSeconds) }
}
