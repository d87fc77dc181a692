/** Applications that ask a sidecar over HTTP, and what they make of its replies. */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, fetch } from 'undici'
import type { Sidecar } from './sidecar.ts'

export interface Reply {
  readonly status: number
  readonly tookMs: number
  /** When it came, in true epoch milliseconds. */
  readonly at: number
  readonly retryAfter: number
  readonly body: Readonly<Record<string, string>>
}

export const VAULT = 'https://vault.azure.net'

interface AskOptions {
  readonly resource?: string
  readonly query?: string
  readonly dispatcher?: Agent
  readonly signal?: AbortSignal
}

/** One request of one application. */
export async function ask(
  { port, clock }: Pick<Sidecar, 'port' | 'clock'>,
  options: AskOptions = {},
): Promise<Reply> {
  const { resource = VAULT, query = '', ...init } = options
  const start = performance.now()
  const response = await fetch(
    `http://127.0.0.1:${port}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${encodeURIComponent(resource)}${query}`,
    { headers: { Metadata: 'true' }, ...init },
  )
  const body: unknown = await response.json()
  return {
    status: response.status,
    tookMs: performance.now() - start,
    at: clock.truth(),
    retryAfter: Number(response.headers.get('retry-after') ?? NaN),
    body: Object.fromEntries(
      Object.entries(body ?? {}).map(([name, value]) => [name, String(value)]),
    ),
  }
}

interface StormOptions extends AskOptions {
  readonly callers?: number
  /** Of all callers together. */
  readonly requests?: number
}

/** So many requests of so many applications at once, each with a connection of its own. */
export async function storm(
  sidecar: Sidecar,
  { callers = 4, requests = 144, ...options }: StormOptions = {},
): Promise<readonly Reply[]> {
  const replies = await Promise.all(
    Array.from({ length: callers }, async () => {
      const dispatcher = new Agent({ connections: 1 })
      const heard: Reply[] = []
      for (let request = 0; request < requests / callers; request += 1) {
        heard.push(await ask(sidecar, { ...options, dispatcher }))
      }
      await dispatcher.close()
      return heard
    }),
  )
  return replies.flat()
}

/** Asks until the reply is as wanted. Rejects when it is not within `withinMs` of real time. */
export async function askUntil(
  sidecar: Sidecar,
  isWanted: (reply: Reply) => boolean,
  withinMs = 4000,
): Promise<readonly Reply[]> {
  const end = performance.now() + withinMs
  const replies: Reply[] = []
  while (performance.now() < end) {
    const reply = await ask(sidecar)
    replies.push(reply)
    if (isWanted(reply)) return replies
    await sleep(20)
  }
  throw new Error(`not within ${withinMs} ms; at last ${JSON.stringify(replies.at(-1))}`)
}

/** Rejects unless every reply holds a token of Entra ID for this client and resource that is valid now. */
export async function verifyTokens(
  { world }: Sidecar,
  replies: readonly Reply[],
  resource = VAULT,
): Promise<void> {
  const keys = createLocalJWKSet(await keysOf(world))
  for (const { at, body } of distinct(replies)) {
    const { payload } = await jwtVerify(body['access_token'] ?? '', keys, {
      audience: resource,
      currentDate: new Date(at),
    })
    if (payload['appid'] !== world.clientId) throw new Error('a token of another client')
    const expiresIn = Number(body['expires_in'])
    if (!(expiresIn >= 1)) throw new Error('no life at all')
    // Whole seconds, and a reply that is read a little after it was written.
    if (expiresIn > (payload.exp ?? 0) - at / 1000 + 2) throw new Error('a life that is too long')
  }
}

/** The last reply with each token. */
function distinct(replies: readonly Reply[]): Reply[] {
  return [...new Map(replies.map((reply) => [reply.body['access_token'], reply])).values()]
}

async function keysOf({ authorityHost, tenantId, dispatcher }: Sidecar['world']) {
  const url = `${authorityHost}/${tenantId}/discovery/v2.0/keys`
  const response = await fetch(url, { dispatcher })
  // oxlint-disable-next-line no-unsafe-type-assertion -- the simulator's own document
  return (await response.json()) as JSONWebKeySet
}

const sorted = (replies: readonly Reply[]) =>
  replies.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)

export const median = (replies: readonly Reply[]): number =>
  sorted(replies)[Math.floor(replies.length / 2)] ?? NaN

export const slowest = (replies: readonly Reply[]): number => sorted(replies).at(-1) ?? NaN
