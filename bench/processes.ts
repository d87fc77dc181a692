/** Starts what is measured as processes of their own, asks Linux what they used, and ends them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Simulator } from '../src/tools/simulator/simulator.ts'
import { freePort } from '../test/support/free-port.ts'
import type { Answer } from './callers.ts'

const CLI = fileURLToPath(new URL('../dist/wimds.js', import.meta.url))
const BASELINE = fileURLToPath(new URL('baseline.mjs', import.meta.url))
const DOCKERFILE = new URL('../Dockerfile', import.meta.url)

/** A process that was started and may not be ready yet. */
export interface Server {
  readonly pid: number
  /** By `performance.now()`, just before its exec. */
  readonly startedAt: number
  /** Answers 200 as soon as it serves. */
  readonly healthUrl: string
  /** The URL of a token. The baseline gives every URL the same answer. */
  readonly tokenUrl: string
  readonly stop: () => Promise<void>
}

/** Starts `wimds serve` against this simulator, at its defaults and with the image's malloc. Its log is dropped. */
export async function startSidecar(simulator: Simulator): Promise<Server> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const env = {
    ...(await readMallocSettings()),
    ...simulator.settings,
    WIMDS_LISTEN: `127.0.0.1:${port}`,
    WIMDS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
  }
  const healthUrl = `http://127.0.0.1:${adminPort}/healthz`
  return launch([process.execPath, CLI, 'serve'], env, `http://127.0.0.1:${port}`, healthUrl)
}

/** Returns the settings of malloc in the image, which the bare server does not have. */
export async function readMallocSettings(): Promise<NodeJS.ProcessEnv> {
  const dockerfile = await readFile(DOCKERFILE, 'utf8')
  return Object.fromEntries(
    [...dockerfile.matchAll(/\b(MALLOC_\w+)=(\d+)/gu)].map(([, name = '', value]) => [name, value]),
  )
}

/** Starts the bare server, which answers everything with this. */
export async function startBaseline({ headers, body }: Answer): Promise<Server> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const args = [BASELINE, `${port}`, JSON.stringify(headers), body]
  return launch([process.execPath, ...args], {}, origin, `${origin}/`)
}

function launch(
  [program, ...args]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv,
  origin: string,
  healthUrl: string,
): Server {
  const startedAt = performance.now()
  const child = spawn(program, args, { stdio: 'ignore', env })
  const { pid } = child
  if (pid === undefined) throw new Error(`${program} could not be started`)
  // The process must not outlive the benchmark.
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  return {
    pid,
    startedAt,
    healthUrl,
    tokenUrl: `${origin}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net`,
    stop: async () => {
      process.removeListener('exit', kill)
      const isRunning = child.exitCode === null && child.signalCode === null
      if (isRunning && child.kill('SIGKILL')) await once(child, 'exit')
    },
  }
}

/** Returns the processor time that its threads have used so far, user and system, in microseconds. */
export async function processorUs({ pid }: Server): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`)
  const times = threads.map(async (thread) => {
    const [nanoseconds] = (await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')).split(
      ' ',
    )
    return Number(nanoseconds) / 1000
  })
  return (await Promise.all(times)).reduce((sum, us) => sum + us, 0)
}

/** Returns the process's private memory, in MiB: pages that no file backs. */
export async function privateMib({ pid }: Pick<Server, 'pid'>): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const [, kibibytes] = /^RssAnon:\s+(\d+) kB$/mu.exec(status) ?? []
  return Number(kibibytes) / 1024
}
