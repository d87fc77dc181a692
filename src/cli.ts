/** The command line: argv → one command → an exit code. */
import { refuse, refuseUsage } from './lib/print-error.ts'
import { type Command, type CommandIo, EXIT_USAGE } from './commands/io.ts'
import { crashLine } from './lib/describe-error.ts'

const USAGE = `usage: wimds COMMAND

  serve     the sidecar: answers IMDS token requests by workload identity federation
  demo      the whole flow on this machine, offline, narrated
  simulate  a faithful Entra ID, cluster issuer and resource server for development and CI
  inject    Kubernetes manifests in, manifests with the sidecar out
  redirect  makes 169.254.169.254:80 reach the sidecar (init container)
  webhook   the admission webhook: adds the sidecar to pods that ask for it
  probe     exits 0 when the sidecar on this machine is ready
  report    which workloads still call, and what would make the sidecar unnecessary
  doctor    why there is no token, and what to do about it
  token     an access token for a shell script
  env       the variables that lead SDKs to the sidecar
  version   prints the version

Without a command it takes the flags of the azure-workload-identity proxy.
`

/** Each command is loaded when it is called, so that none pays for another's libraries. */
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

/** Commands that have something to see to when they are told to end; the others just end. */
const SEE_TO_THEIR_END = new Set(['serve', 'simulate', 'webhook', 'demo', 'redirect'])

/** Flags without a command are the azure-workload-identity proxy's, in whose place wimds can run. */
const dropIn = async () => (await import('./commands/drop-in.ts')).dropIn

let seesToItsEnd = false

async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  const [name = 'help', ...args] = argv
  if (name === 'help' || name === '--help' || name === '-h') {
    io.stdout.write(USAGE)
    return 0
  }
  const named = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  const load = name.startsWith('-') ? dropIn : named
  if (load === undefined) {
    return refuseUsage(io, 'wimds', [`there is no command ${JSON.stringify(name)}`])
  }
  seesToItsEnd = load === dropIn || SEE_TO_THEIR_END.has(name)
  try {
    const command = await load()
    return await command(load === dropIn ? argv : args, io)
  } catch (error) {
    return refuse(io, `wimds ${name}`, error)
  }
}

/** The versions that package.json names as `engines`. */
function isNodeRecent(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 19)
}

function refuseNode(io: CommandIo): number {
  io.stderr.write(`wimds needs Node 22.19 or later; this is ${process.versions.node}\n`)
  return EXIT_USAGE
}

// Unhandled rejections come here too.
process.on('uncaughtException', (error) => {
  process.stderr.write(crashLine(error))
  process.exit(1)
})
const ending = new AbortController()
/** Exit codes by signal, as a shell tells them. */
const ENDED_BY = { SIGTERM: 143, SIGINT: 130 } as const
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // Without a handler the first process of a container would not end at all.
    if (!seesToItsEnd) process.exit(ENDED_BY[signal])
    // A second signal means now.
    if (ending.signal.aborted) process.exit(1)
    ending.abort()
  })
}
const { stdout, stderr, env } = process
// Whoever read the output has seen enough, as `| head` does.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})
const io: CommandIo = {
  // Opened by the commands that read it: that takes a few milliseconds.
  get stdin() {
    return process.stdin
  },
  stdout,
  stderr,
  env,
  signal: ending.signal,
}
async function run(): Promise<void> {
  process.exitCode = isNodeRecent() ? await main(process.argv.slice(2), io) : refuseNode(io)
  // An exchange that is under way would hold up who was told to end. A file that does not answer does so
  // in any case: Node waits for the thread that reads it.
  if (ending.signal.aborted) process.exit()
}
void run()
