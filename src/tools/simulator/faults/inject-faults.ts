/** Applies faults to the requests of a simulated server and logs each request. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ExchangeLog } from '../control/exchange-log.ts'
import {
  createErrorResponse,
  EntraError,
  findCorrelationId,
  readAadsts,
} from '../entra/entra-error.ts'
import { readForm } from '../entra/token-request.ts'
import type { Handler } from '../http/handler.ts'
import type { Effects, Faults, FaultTarget } from './faults.ts'

interface Injection {
  readonly faults: Faults
  readonly log: ExchangeLog
  readonly findTarget: (request: Request) => FaultTarget
  readonly now: () => number
}

/** Wraps a handler with faults. The handler gets the effects that only it can apply. */
export function withFaults(
  handler: (request: Request, effects: Effects) => Promise<Response>,
  { faults, log, findTarget, now }: Injection,
): Handler {
  return async (request) => {
    const startedAt = now()
    const target = findTarget(request)
    const form = await readForm(request.clone())
    const clientId = form.get('client_id') ?? undefined
    const effects = faults.take(target, clientId)
    const { answer } = effects
    const record = (outcome: number | 'hang' | 'reset', aadsts?: number): void =>
      log.record({
        at: new Date(startedAt).toISOString(),
        target,
        method: request.method,
        path: new URL(request.url).pathname,
        clientId,
        resource: form.get('scope') ?? undefined,
        correlationId: findCorrelationId(request, form),
        outcome,
        aadsts,
        durationMs: now() - startedAt,
      })
    if (effects.delay) await sleep(effects.delay.ms)
    if (answer?.kind === 'hang') {
      record('hang')
      return new Promise(() => {})
    }
    if (answer?.kind === 'reset' && answer.when === 'before-answer') {
      record('reset')
      throw new Error('simulated reset')
    }
    const reply = createReplacement(request, effects, now()) ?? (await handler(request, effects))
    record(answer?.kind === 'reset' ? 'reset' : reply.status, readAadsts(reply))
    return applyBodyFault(reply, effects)
  }
}

/** Statuses for which HTTP, and so `Response`, allows no body. */
const BODYLESS: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Creates the answer of a fault. Returns undefined if the handler has to answer: no fault replaces its answer, or the fault is an
 * AADSTS code or a reset in the middle of the body.
 */
function createReplacement(
  request: Request,
  { answer }: Effects,
  now: number,
): Response | undefined {
  if (answer?.kind === 'throttled') {
    const retryAfter = String(answer.retryAfterSeconds)
    const headers = { 'content-type': 'text/plain', 'retry-after': retryAfter }
    return new Response('Too Many Requests', { status: 429, headers })
  }
  if (answer?.kind === 'unavailable') {
    return createErrorResponse(new EntraError(90033), { request, now })
  }
  if (answer?.kind !== 'status') return undefined
  const { status, body, contentType, headers } = answer
  if (BODYLESS.has(status)) return new Response(null, { status, headers })
  return new Response(body, { status, headers: { 'content-type': contentType, ...headers } })
}

/** Applies the faults of the body. The exchange has been logged. */
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
      if (offset > 0) await sleep(slow.everyMs)
      yield body.subarray(offset, offset + slow.chunkBytes)
    }
  })
}

function replaceBody(
  response: Response,
  generate: (body: Uint8Array) => AsyncGenerator<Uint8Array>,
): Response {
  const stream = async function* stream() {
    yield* generate(await response.bytes())
  }
  return new Response(ReadableStream.from(stream()), response)
}

/** Sleeps without keeping the process alive. */
const sleep = (ms: number): Promise<void> => delay(ms, undefined, { ref: false })
