/** Puts faults on a handler and logs what it was asked: the wrapper of every simulated server. */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { resetMidBody, slowly } from './bodies.ts'
import type { ExchangeLog } from '../control/exchange-log.ts'
import type { Effects, Fault, Faults, FaultTarget } from './faults.ts'
import { answerOf } from './forced-answers.ts'
import { isSocketFault, type Server, type SocketFault } from '../http/handler.ts'
import { sentCorrelationId, formOf } from '../entra/token-request.ts'

interface Injection {
  readonly faults: Faults
  readonly log: ExchangeLog
  readonly targetOf: (request: Request) => FaultTarget
  readonly now?: () => number
  readonly sleep?: (ms: number) => Promise<void>
}

/** The handler with faults on it. It gets those effects that only it can carry out. */
export function withFaults(
  handler: (request: Request, effects: Effects) => Promise<Response>,
  { faults, log, targetOf, now = Date.now, sleep = unreferencedSleep }: Injection,
): Server {
  return async (request) => {
    const startedAt = now()
    const target = targetOf(request)
    const form = await formOf(request.clone())
    const clientId = form.get('client_id') ?? undefined
    const effects = faults.take(target, clientId)
    if (effects.delay) await sleep(effects.delay.ms)
    const reply = await replyTo(request, effects)
    const aadsts = isSocketFault(reply) ? undefined : await aadstsOf(reply)
    const correlationId = sentCorrelationId(request, form)
    const resource = form.get('scope') ?? form.get('resource')
    log.record({
      at: new Date(startedAt).toISOString(),
      target,
      method: request.method,
      path: new URL(request.url).pathname,
      ...(clientId === undefined ? {} : { clientId }),
      ...(resource === null ? {} : { resource }),
      ...(correlationId === undefined ? {} : { correlationId }),
      outcome: outcomeOf(reply, effects),
      ...(aadsts === undefined ? {} : { aadsts }),
      durationMs: now() - startedAt,
    })
    return isSocketFault(reply) ? reply : shaped(reply, effects)
  }

  async function replyTo(request: Request, effects: Effects): Promise<Response | SocketFault> {
    const { answer } = effects
    if (
      answer &&
      answer.kind !== 'aadsts' &&
      !(answer.kind === 'reset' && answer.when === 'mid-body')
    ) {
      return answerOf(answer, request, now())
    }
    return handler(request, effects)
  }
}

/** Effects on the way of the body, which the log does not wait for. */
function shaped(reply: Response, { answer, 'slow-body': slow }: Effects): Response {
  if (answer?.kind === 'reset') return resetMidBody(reply)
  return slow ? slowly(reply, slow.chunkBytes, slow.everyMs) : reply
}

function outcomeOf(reply: Response | SocketFault, { answer }: Effects): number | 'hang' | 'reset' {
  if (isSocketFault(reply)) return reply.socket
  return isReset(answer) ? 'reset' : reply.status
}

const isReset = (answer: Fault | undefined): boolean => answer?.kind === 'reset'

const RefusalBody = z.object({ error_codes: z.array(z.int()).min(1) })

/** The AADSTS number of a refusal, read from a copy of its body. */
async function aadstsOf(reply: Response): Promise<number | undefined> {
  const isJson = reply.headers.get('content-type')?.startsWith('application/json') ?? false
  if (reply.status < 400 || !isJson) return undefined
  const body: unknown = await reply
    .clone()
    .json()
    .catch(() => undefined)
  return RefusalBody.safeParse(body).data?.error_codes[0]
}

/** A delay must not keep a process alive that has nothing else to do. */
const unreferencedSleep = (ms: number): Promise<void> => delay(ms, undefined, { ref: false })
