/** Starts a sidecar in a child process and requests tokens from it over HTTP. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { parseJson } from '../../lib/json.ts'
import { TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import type { Simulator } from '../simulator/simulator.ts'

type RunningChild = ReturnType<typeof startChild>
export type Sidecar = Awaited<ReturnType<typeof startSidecar>>

/** The time limit of a start. A sidecar that fails ends earlier. */
const START_TIMEOUT_MS = 60_000

/** Starts `wimds serve` against a simulator on free ports. Throws with its log if it fails. */
export async function startSidecar(cli: string, simulator: Simulator) {
  const start = performance.now()
  const child = startChild(cli, ['serve'], {
    ...simulator.settings,
    WIMDS_LISTEN: '127.0.0.1:0',
    WIMDS_ADMIN_LISTEN: '127.0.0.1:0',
  })
  try {
    const { addresses, adminAddresses } = await poll(child, () => findListeningEvent(child))
    const origin = `http://${addresses.join()}`
    await poll(child, async () => ((await fetch(`${origin}/readyz`)).ok ? true : undefined))
    return {
      ...child,
      /** The origin of the token endpoint, such as `http://127.0.0.1:40001`. */
      origin,
      tokenUrl: `${origin}${TOKEN_PATHS.imds}`,
      adminOrigin: `http://${adminAddresses.join()}`,
      /** Time from the start of the process until it was ready. */
      readyAfterMs: performance.now() - start,
    }
  } catch (error) {
    await child[Symbol.asyncDispose]()
    throw error
  }
}

/** Starts a Node script with this whole environment. Disposing it sends SIGTERM and waits until it has ended. */
export function startChild(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
) {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${process.execPath} could not be started`)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = once(child, 'close')
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  return {
    pid,
    /** Returns everything written so far. */
    output: () => output,
    hasEnded,
    [Symbol.asyncDispose]: async () => {
      if (!hasEnded()) child.kill('SIGTERM')
      await ended
    },
  }
}

/** Requests a token as a script with curl does. */
export async function requestToken(
  { tokenUrl }: Sidecar,
  parameters: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly error: string; readonly ms: number }> {
  const start = performance.now()
  const query = new URLSearchParams({ 'api-version': '2018-02-01', ...parameters })
  const response = await fetch(`${tokenUrl}?${query.toString()}`, { headers: { Metadata: 'true' } })
  const body: { error_description?: string } = JSON.parse(await response.text())
  const ms = performance.now() - start
  return { status: response.status, error: body.error_description ?? '', ms }
}

const ListeningEvent = z.object({
  event: z.literal('listening'),
  addresses: z.array(z.string()),
  adminAddresses: z.array(z.string()),
})

function findListeningEvent(child: RunningChild) {
  const lines = child.output().split('\n')
  return lines.flatMap((line) => ListeningEvent.safeParse(parseJson(line)).data ?? [])[0]
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
