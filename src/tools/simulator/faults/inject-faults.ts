/** Applies faults to the requests of a simulated server and logs each request. */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { ExchangeLog } from '../control/exchange-log.ts'
import { createErrorResponse, EntraError, findCorrelationId } from '../entra/entra-error.ts'
import { readForm } from '../entra/token-request.ts'
import { isSocketFault, type Server, type SocketFault } from '../http/handler.ts'
import type { Effects, Faults, FaultTarget } from './faults.ts'

interface Injection {
  readonly faults: Faults
  readonly log: ExchangeLog
  readonly findTarget: (request: Request) => FaultTarget
  readonly now: () => number
  readonly sleep?: (ms: number) => Promise<void>
}

/** Wraps a handler with faults. The handler gets the effects that only it can apply. */
export function withFaults(
  handler: (request: Request, effects: Effects) => Promise<Response>,
  { faults, log, findTarget, now, sleep = sleepUnreferenced }: Injection,
): Server {
  return async (request) => {
    const startedAt = now()
    const target = findTarget(request)
    const form = await readForm(request.clone())
    const clientId = form.get('client_id') ?? undefined
    const effects = faults.take(target, clientId)
    if (effects.delay) await sleep(effects.delay.ms)
    const replacement = createReplacement(request, effects, now())
    const reply = replacement ?? (await handler(request, effects))
    log.record({
      at: new Date(startedAt).toISOString(),
      target,
      method: request.method,
      path: new URL(request.url).pathname,
      clientId,
      resource: form.get('scope') ?? form.get('resource') ?? undefined,
      correlationId: findCorrelationId(request, form),
      outcome: selectOutcome(reply, effects),
      aadsts: isSocketFault(reply) ? undefined : await readAadsts(reply),
      durationMs: now() - startedAt,
    })
    return isSocketFault(reply) ? reply : applyBodyFault(reply, effects)
  }
}

/** Statuses for which HTTP, and so `Response`, allows no body. */
const BODYLESS: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Creates the answer of a fault. Undefined when the handler has to answer: without such a fault, for
 * an AADSTS code, which Entra ID answers itself, and for a reset in the middle of the real body.
 */
function createReplacement(
  request: Request,
  { answer }: Effects,
  now: number,
): Response | SocketFault | undefined {
  if (answer === undefined) return undefined
  switch (answer.kind) {
    case 'aadsts':
      return undefined
    case 'hang':
      return { socket: 'hang' }
    case 'reset':
      return answer.when === 'mid-body' ? undefined : { socket: 'reset' }
    case 'throttled': {
      const retryAfter = String(answer.retryAfterSeconds)
      const headers = { 'content-type': 'text/plain', 'retry-after': retryAfter }
      return new Response('Too Many Requests', { status: 429, headers })
    }
    case 'unavailable':
      return createErrorResponse(new EntraError(90033), { request, now })
    case 'status':
  }
  const { status, body, contentType, headers } = answer
  if (BODYLESS.has(status)) return new Response(null, { status, headers })
  return new Response(body, { status, headers: { 'content-type': contentType, ...headers } })
}

/** Applies the faults of the body. The log does not wait for them. */
function applyBodyFault(reply: Response, { answer, 'slow-body': slow }: Effects): Response {
  if (answer?.kind === 'reset') {
    return replaceBody(reply, async function* firstHalf(body) {
      yield body.subarray(0, Math.ceil(body.length / 2))
      throw new Error('simulated reset')
    })
  }
  if (!slow) return reply
  return replaceBody(reply, async function* chunks(body) {
    for (let offset = 0; offset < body.length; offset += slow.chunkBytes) {
      if (offset > 0) await sleepUnreferenced(slow.everyMs)
      yield body.subarray(offset, offset + slow.chunkBytes)
    }
  })
}

function replaceBody(
  response: Response,
  generate: (body: Uint8Array) => AsyncGenerator<Uint8Array>,
): Response {
  const stream = async function* stream() {
    yield* generate(new Uint8Array(await response.arrayBuffer()))
  }
  return new Response(ReadableStream.from(stream()), response)
}

function selectOutcome(
  reply: Response | SocketFault,
  { answer }: Effects,
): number | 'hang' | 'reset' {
  if (isSocketFault(reply)) return reply.socket
  return answer?.kind === 'reset' ? 'reset' : reply.status
}

const ErrorBody = z.object({ error_codes: z.array(z.int()).min(1) })

/** Reads the AADSTS code from a copy of an error's body. */
async function readAadsts(reply: Response): Promise<number | undefined> {
  const isJson = reply.headers.get('content-type')?.startsWith('application/json') ?? false
  if (reply.status < 400 || !isJson) return undefined
  const body: unknown = await reply
    .clone()
    .json()
    .catch(() => undefined)
  return ErrorBody.safeParse(body).data?.error_codes[0]
}

/** Sleeps without keeping the process alive. */
const sleepUnreferenced = (ms: number): Promise<void> => delay(ms, undefined, { ref: false })
