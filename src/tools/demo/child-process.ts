/** Runs Node scripts as child processes with exactly the given environment. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

interface ChildOptions {
  readonly script: string
  readonly args?: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A running child. Disposing it sends SIGTERM and waits until it has ended. */
export interface RunningChild extends AsyncDisposable {
  readonly pid: number
  /** Returns everything written so far. */
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

/** Starts a script that runs until it is disposed. */
export function startChild(options: ChildOptions): RunningChild {
  const child = start(options)
  const { pid } = child
  if (pid === undefined) throw new Error(`${process.execPath} could not be started`)
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
