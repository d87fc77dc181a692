/** Callers of the metadata service, as pods have them: keep-alive, and a few at a time. */
import { Agent, request } from 'node:http'

/** A whole answer. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** An answer and how long it took. Status 0 stands for no answer. */
export interface Timed {
  readonly status: number
  readonly ms: number
}

export const HEADERS = { Metadata: 'true' } as const
/** Node sends these by itself. */
const OWN_OF_NODE = new Set(['date', 'connection', 'keep-alive'])

/** Sends a GET. Rejects if the port is closed or the connection breaks. */
export function get(url: string, agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(url, { headers: HEADERS, ...(agent === undefined ? {} : { agent }) }, (response) => {
      const parts: string[] = []
      response.setEncoding('utf8')
      response.on('data', (part: string) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => {
        const headers = Object.entries(response.headers)
          .filter(([name]) => !OWN_OF_NODE.has(name))
          .map(([name, value]) => [name, String(value)] as const)
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(headers),
          body: parts.join(''),
        })
      })
    })
      .on('error', reject)
      .end()
  })
}

/** Sends a GET and measures it. Never rejects: a failure has the status 0. */
export async function timed(url: string, agent?: Agent): Promise<Timed> {
  const startedAt = performance.now()
  const { status } = await get(url, agent).catch(() => ({ status: 0 }))
  return { status, ms: performance.now() - startedAt }
}

/** Runs `callers` concurrently. Each sends `each` requests, one after the other. */
export async function runCallers(
  url: string,
  { callers, each }: { readonly callers: number; readonly each: number },
): Promise<readonly Timed[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: callers })
  try {
    const answers = await Promise.all(
      Array.from({ length: callers }, async () => {
        const own: Timed[] = []
        for (let time = 0; time < each; time += 1) own.push(await timed(url, agent))
        return own
      }),
    )
    return answers.flat()
  } finally {
    agent.destroy()
  }
}

export const slowestMs = (answers: readonly Timed[]): number =>
  Math.max(...answers.map(({ ms }) => ms))

export const failed = (answers: readonly Timed[]): number =>
  answers.filter(({ status }) => status !== 200).length

/** Returns the first answer of 200, however often it has to ask. Rejects after `limitMs`. */
export async function firstAnswer(url: string, limitMs = 20_000): Promise<Answer> {
  const startedAt = performance.now()
  while (performance.now() - startedAt < limitMs) {
    const answer = await get(url).catch(() => undefined)
    if (answer?.status === 200) return answer
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  throw new Error(`no answer of 200 from ${url} in ${limitMs} ms`)
}
