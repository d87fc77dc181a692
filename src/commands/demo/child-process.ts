/** Child processes of the demo: started with an environment of their own, ended without a trace. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

interface ChildOptions {
  readonly script: string
  readonly args?: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** What a child wrote, and how it ended. */
interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A child that runs until it is stopped. */
export interface RunningChild extends AsyncDisposable {
  readonly pid: number
  /** All it has written so far. */
  readonly output: () => string
  readonly hasEnded: () => boolean
}

/** Runs a script to its end. */
export async function runToEnd(options: ChildOptions): Promise<Finished> {
  const child = start(options)
  const stdout = collect(child, 'stdout')
  const stderr = collect(child, 'stderr')
  await once(child, 'close')
  return { code: child.exitCode, stdout: stdout(), stderr: stderr() }
}

/** Starts a script; disposing it asks it to end and waits until it has. */
export function startChild(options: ChildOptions): RunningChild {
  const child = start(options)
  const { pid } = child
  if (pid === undefined) throw new Error('Node could not be started')
  const stdout = collect(child, 'stdout')
  const stderr = collect(child, 'stderr')
  const ended = once(child, 'close')
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  return {
    pid,
    output: () => stdout() + stderr(),
    hasEnded,
    [Symbol.asyncDispose]: async () => {
      if (!hasEnded()) child.kill('SIGTERM')
      await ended
    },
  }
}

function start({ script, args = [], env }: ChildOptions): ChildProcess {
  return spawn(process.execPath, [script, ...args], {
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function collect(child: ChildProcess, stream: 'stdout' | 'stderr'): () => string {
  let text = ''
  child[stream]?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return () => text
}
