/** The command line: argv → one command → an exit code. */
import { exitWithError, exitWithUsage } from './lib/print-error.ts'
import type { Command, CommandIo } from './commands/io.ts'
import { ConfigError } from './errors.ts'
import { formatCrash } from './lib/describe-error.ts'

const USAGE = `usage: wimds COMMAND

  serve     run the sidecar: answer IMDS token requests by workload identity federation
  demo      run the whole flow on this machine, offline, with explanations
  simulate  simulate Entra ID, a cluster issuer and a resource server for development and CI
  inject    add the sidecar to Kubernetes manifests
  redirect  redirect 169.254.169.254:80 to the sidecar (init container)
  webhook   run the admission webhook, which adds the sidecar to pods
  probe     exit 0 when the sidecar on this machine is ready
  report    list the workloads that still call the sidecar, and how to migrate them
  doctor    find out why there is no token, and how to fix it
  token     print an access token, for shell scripts
  env       print the variables that configure SDKs for the sidecar
  version   print the version

Without a command it takes the flags of the azure-workload-identity proxy.
`

/** Commands are imported lazily, so that none pays for the libraries of another. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./precompiled.ts')).loadServe(),
  simulate: async () => (await import('./commands/simulate/simulate.ts')).simulate,
  inject: async () => (await import('./commands/inject/inject.ts')).inject,
  demo: async () => (await import('./commands/demo/demo.ts')).demo,
  webhook: async () => (await import('./commands/webhook/webhook.ts')).webhook,
  probe: async () => (await import('./commands/probe.ts')).probe,
  report: async () => (await import('./commands/report/report.ts')).report,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  env: async () => (await import('./commands/env.ts')).env,
  token: async () => (await import('./commands/token.ts')).token,
  version: async () => (await import('./commands/version.ts')).version,
  redirect: async () => (await import('./commands/redirect.ts')).redirect,
}

/** Commands that shut down gracefully; a signal ends the others at once. */
const LONG_RUNNING = new Set(['serve', 'simulate', 'webhook', 'demo', 'redirect'])

/** Flags without a command are those of the azure-workload-identity proxy, which wimds replaces. */
const dropIn = async () => (await import('./commands/drop-in.ts')).dropIn

let isLongRunning = false

async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  const [name = 'help', ...args] = argv
  if (name === 'help' || name === '--help' || name === '-h') {
    io.stdout.write(USAGE)
    return 0
  }
  const named = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  const load = name.startsWith('-') ? dropIn : named
  if (load === undefined) {
    return exitWithUsage(io, 'wimds', [`unknown command ${JSON.stringify(name)}`])
  }
  isLongRunning = load === dropIn || LONG_RUNNING.has(name)
  try {
    const command = await load()
    return await command(load === dropIn ? argv : args, io)
  } catch (error) {
    return exitWithError(io, `wimds ${name}`, error)
  }
}

/** Returns whether this Node is one of `engines` in package.json. */
function isNodeSupported(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 19)
}

// Receives unhandled rejections too.
process.on('uncaughtException', (error) => {
  process.stderr.write(formatCrash(error))
  process.exit(1)
})
const shutdown = new AbortController()
/** Exit codes by signal: 128 + its number, as in a shell. */
const SIGNAL_EXIT_CODES = { SIGTERM: 143, SIGINT: 130 } as const
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // Process 1 of a container ignores signals that have no handler.
    if (!isLongRunning) process.exit(SIGNAL_EXIT_CODES[signal])
    // The second signal skips the graceful shutdown.
    if (shutdown.signal.aborted) process.exit(1)
    shutdown.abort()
  })
}
const { stdout, stderr, env } = process
// The reader of a pipe has closed it, as `| head` does.
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
  process.exitCode = isNodeSupported()
    ? await main(process.argv.slice(2), io)
    : exitWithError(
        io,
        'wimds',
        new ConfigError(
          `Node ${process.versions.node} is too old. Fix: install Node 22.19 or later`,
        ),
      )
  // An inflight exchange would delay the exit after a shutdown. (Node still waits for a blocked file read.)
  if (shutdown.signal.aborted) process.exit()
}
void run()
