/** Prometheus on a free port, queried over its API. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { freePort } from '../support/free-port.ts'

const Alerts = z.object({
  data: z.object({
    alerts: z.array(
      z.object({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
        state: z.enum(['pending', 'firing']),
      }),
    ),
  }),
})

const Vector = z.object({
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
})

const Values = z.object({ data: z.array(z.string()) })

type Alert = z.infer<typeof Alerts>['data']['alerts'][number]

export interface Prometheus extends AsyncDisposable {
  readonly origin: string
  /** Returns the values of an instant query; some may be NaN. */
  readonly values: (expression: string) => Promise<number[]>
  /** Returns the first value of an instant query. */
  readonly query: (expression: string) => Promise<number | undefined>
  /** Returns the values that a label has in the series of a selector. */
  readonly labelValues: (label: string, selector: string) => Promise<string[]>
  /** Returns the alert of this name if it fires. */
  readonly firing: (name: string) => Promise<Alert | undefined>
}

/** Starts a server at a free address, which a flag names. Resolves when the server answers `/-/ready`. */
export async function startServer(program: string, flags: readonly string[]) {
  const address = `127.0.0.1:${await freePort()}`
  const origin = `http://${address}`
  const args = [...flags, `--web.listen-address=${address}`]
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  const ended = once(child, 'close')
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  try {
    await until(`${program} is ready`, 60_000, async () => {
      if (child.exitCode !== null) throw new Error(`${program} ended: ${log}`)
      const answer = await fetch(`${origin}/-/ready`).catch(() => undefined)
      return answer?.ok === true ? true : undefined
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { origin, [Symbol.asyncDispose]: stop }
}

/** Starts Prometheus with this configuration and its data in `directory`. */
export async function startPrometheus(config: string, directory: string): Promise<Prometheus> {
  const { origin, ...server } = await startServer('/usr/bin/prometheus', [
    `--config.file=${config}`,
    `--storage.tsdb.path=${directory}/data`,
    '--log.level=warn',
  ])
  const values = async (expression: string) => {
    const answer = await fetch(`${origin}/api/v1/query?query=${encodeURIComponent(expression)}`)
    const { data } = Vector.parse(await answer.json())
    return data.result.map(({ value: [, value] }) => Number(value))
  }
  return {
    origin,
    values,
    query: async (expression) => (await values(expression))[0],
    labelValues: async (label, selector) => {
      const query = `match[]=${encodeURIComponent(selector)}`
      const answer = await fetch(`${origin}/api/v1/label/${label}/values?${query}`)
      return Values.parse(await answer.json()).data
    },
    firing: async (name) => {
      const answer = await fetch(`${origin}/api/v1/alerts`)
      const { data } = Alerts.parse(await answer.json())
      return data.alerts.find(
        ({ labels, state }) => labels['alertname'] === name && state === 'firing',
      )
    },
    ...server,
  }
}

/** Polls every 250 ms until there is a value. Throws after `withinMs`. */
export async function until<T>(
  what: string | (() => string),
  withinMs: number,
  poll: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await poll()
    if (value !== undefined) return value
    if (performance.now() > deadline) {
      throw new Error(`not within ${withinMs} ms: ${typeof what === 'string' ? what : what()}`)
    }
    await sleep(250)
  }
}
