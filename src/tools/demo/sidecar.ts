/** Starts a sidecar in a child process and requests tokens from it over HTTP. */
import { setTimeout as sleep } from 'node:timers/promises'
import { TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import { sidecarSettings } from '../simulator/environment.ts'
import type { Simulator } from '../simulator/simulator.ts'
import { type RunningChild, startChild } from './child-process.ts'

export interface Sidecar extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40001`. */
  readonly origin: string
  readonly tokenUrl: string
  readonly adminOrigin: string
  /** Time from the start of the process until it was ready. */
  readonly readyAfterMs: number
  readonly pid: number
  readonly hasEnded: () => boolean
}

export interface SidecarReply {
  readonly status: number
  readonly retryAfter: string | null
  readonly error: string
  readonly ms: number
}

const START_TIMEOUT_MS = 20_000

/** Starts `wimds serve` against a simulator on free ports. Throws with its log if it fails. */
export async function startSidecar(cli: string, simulator: Simulator): Promise<Sidecar> {
  const start = performance.now()
  const child = startChild({
    script: cli,
    args: ['serve'],
    env: {
      ...sidecarSettings(simulator),
      WIMDS_LISTEN: '127.0.0.1:0',
      WIMDS_ADMIN_LISTEN: '127.0.0.1:0',
      WIMDS_LOG_FORMAT: 'json',
    },
  })
  try {
    const { addresses, adminAddresses } = await poll(child, () => findListeningEvent(child))
    const origin = `http://${addresses.join()}`
    await poll(child, async () => ((await fetch(`${origin}/readyz`)).ok ? true : undefined))
    return {
      origin,
      tokenUrl: `${origin}${TOKEN_PATHS.imds}`,
      adminOrigin: `http://${adminAddresses.join()}`,
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

/** Requests a token as a script with curl does. */
export async function requestToken(
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

interface ListeningEvent {
  readonly addresses: readonly string[]
  readonly adminAddresses: readonly string[]
}

function findListeningEvent(child: RunningChild): ListeningEvent | undefined {
  const line = child
    .output()
    .split('\n')
    .find((text) => text.includes('"event":"listening"'))
  if (line === undefined) return undefined
  const event: ListeningEvent = JSON.parse(line)
  return event
}

/** Polls until `check` returns a value. Throws when the child ends or the time is up. */
async function poll<T>(
  child: RunningChild,
  check: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (!child.hasEnded() && performance.now() < deadline) {
    const value = await check()
    if (value !== undefined) return value
    await sleep(10)
  }
  throw new Error(`the sidecar did not start:\n${child.output()}`)
}
