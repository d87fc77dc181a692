/** The demo's view of a sidecar: started as anyone would start it, asked as an application asks. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sidecarSettings } from '../../simulator/environment.ts'
import type { Simulator } from '../../simulator/simulator.ts'
import { type RunningChild, startChild } from './child-process.ts'

export interface Sidecar extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40001`. */
  readonly origin: string
  readonly tokenUrl: string
  readonly adminOrigin: string
  /** From its start until it was ready. */
  readonly readyAfterMs: number
  readonly pid: number
  readonly hasEnded: () => boolean
}

/** What the sidecar says to a token request. */
export interface SidecarReply {
  readonly status: number
  readonly retryAfter: string | null
  readonly error: string
  readonly ms: number
}

const START_TIMEOUT_MS = 20_000

/** Starts `wimds serve` against a simulated world on free ports; throws with its log if it fails. */
export async function startSidecar(cli: string, world: Simulator): Promise<Sidecar> {
  const start = performance.now()
  const child = startChild({
    script: cli,
    args: ['serve'],
    env: {
      ...sidecarSettings(world),
      WIMDS_LISTEN: '127.0.0.1:0',
      WIMDS_ADMIN_LISTEN: '127.0.0.1:0',
      WIMDS_LOG_FORMAT: 'json',
    },
  })
  try {
    const { addresses, adminAddresses } = await listening(child)
    const origin = `http://${addresses}`
    await ready(child, origin)
    return {
      origin,
      tokenUrl: `${origin}/metadata/identity/oauth2/token`,
      adminOrigin: `http://${adminAddresses}`,
      readyAfterMs: performance.now() - start,
      pid: child.pid,
      hasEnded: child.hasEnded,
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    }
  } catch (error) {
    await child[Symbol.asyncDispose]()
    throw error
  }
}

/** Asks for a token as a script with curl would. */
export async function askSidecar(
  { tokenUrl }: Sidecar,
  parameters: Readonly<Record<string, string>>,
): Promise<SidecarReply> {
  const start = performance.now()
  const query = new URLSearchParams({ 'api-version': '2018-02-01', ...parameters })
  const response = await fetch(`${tokenUrl}?${query.toString()}`, { headers: { Metadata: 'true' } })
  const body: { error_description?: string } = JSON.parse(await response.text())
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    error: body.error_description ?? '',
    ms: performance.now() - start,
  }
}

/** The addresses that its log announces. */
async function listening(
  child: RunningChild,
): Promise<{ addresses: string; adminAddresses: string }> {
  return until(child, () => {
    const line = child
      .output()
      .split('\n')
      .find((text) => text.includes('"event":"listening"'))
    if (line === undefined) return undefined
    const event: { addresses: string[]; adminAddresses: string[] } = JSON.parse(line)
    return { addresses: event.addresses.join(), adminAddresses: event.adminAddresses.join() }
  })
}

async function ready(child: RunningChild, origin: string): Promise<void> {
  await until(child, async () => ((await fetch(`${origin}/readyz`)).ok ? true : undefined))
}

async function until<T>(child: RunningChild, look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (!child.hasEnded() && performance.now() < deadline) {
    const seen = await look()
    if (seen !== undefined && seen !== null) return seen
    await sleep(10)
  }
  throw new Error(`the sidecar did not start:\n${child.output()}`)
}
