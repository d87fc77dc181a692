/** The command line: argv → one command → an exit code. */
import type { Command, CommandIo } from './lib/command.ts'
import { COMMANDS, findCommand } from './cli/commands.ts'
import { formatCrash } from './cli/crash.ts'
import { EXIT_FAILED, exitWithError } from './cli/exit-codes.ts'
import { findSignalExit } from './cli/signals.ts'

/** Flags without a command are flags of the azure-workload-identity proxy, which wimds replaces. */
const dropIn: Command = async (args, io) => (await import('./cli/drop-in.ts')).dropIn(args, io)

/** Explains the other commands, and rejects unknown ones. */
const help: Command = async (args, io) => (await import('./cli/help.ts')).help(args, io, COMMANDS)

let isLongRunning = false

async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  const [name = 'help', ...args] = argv
  const isDropIn = name.startsWith('-')
  const command = findCommand(name)
  try {
    if (asksForHelp(argv)) return await help(findHelpTopic(argv), io)
    isLongRunning = isDropIn || command?.isLongRunning === true
    // Without a handler, a signal ends a command even while it computes. But process 1 of a container ignores such a signal.
    if (isLongRunning || process.pid === 1) handleSignals()
    if (isDropIn) return await dropIn(argv, io)
    if (command === undefined) return await help(name === 'help' ? args : [name], io)
    const execute = await command.load()
    return await execute(args, io)
  } catch (error) {
    return exitWithError(io, command === undefined ? 'wimds' : `wimds ${name}`, error)
  }
}

/** Returns true for `-h` or `--help` before a `--`; no flag has them as its value. */
function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? undefined : end).some(isHelpFlag)
}

function isHelpFlag(arg: string): boolean {
  return /^(?:-h|--?help)$/.test(arg)
}

/** Returns the command before or after the help flag; empty if there is none. */
function findHelpTopic([first = '', ...others]: readonly string[]): string[] {
  const topic = isHelpFlag(first) ? others[0] : first
  return topic === undefined || topic.startsWith('-') ? [] : [topic]
}

// Receives unhandled rejections too.
process.on('uncaughtException', (error) => {
  process.stderr.write(formatCrash(error))
  process.exit(EXIT_FAILED)
})
const shutdown = new AbortController()
function handleSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const isShuttingDown = shutdown.signal.aborted
      const code = findSignalExit(signal, { isLongRunning, isShuttingDown })
      if (code !== undefined) process.exit(code)
      shutdown.abort()
    })
  }
}
const { stdout, stderr, env } = process
// EPIPE: the reader of the pipe has closed it, as `| head` does.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})
const io: CommandIo = {
  // Opened lazily: it takes a few milliseconds.
  get stdin() {
    return process.stdin
  },
  stdout,
  stderr,
  env,
  signal: shutdown.signal,
}
async function run(): Promise<void> {
  process.exitCode = await main(process.argv.slice(2), io)
  // An inflight exchange would delay the exit after a shutdown. (Node still waits for a blocked file read.)
  if (shutdown.signal.aborted) process.exit()
}
void run()
