/** `wimds redirect`: the init container that redirects 169.254.169.254:80 to the sidecar. */
import { UsageError } from '../lib/errors.ts'
import {
  type CommandDeclaration,
  type Flags,
  parseFlags,
  parseNumberOption,
  PORTS,
} from '../lib/args.ts'
import { errorMessage, printError } from '../lib/describe-error.ts'
import { METADATA_IP, METADATA_PORT } from '../lib/hosts.ts'
import { waitForPort } from '../lib/wait-for-port.ts'
import { changeRedirect, formatScript } from '../redirect/apply.ts'
import { REDIRECT_MODES, type RedirectSettings } from '../redirect/ruleset.ts'
import type { CommandIo } from '../lib/command.ts'
import { DEFAULT_PORT, DEFAULT_UID } from '../lib/sidecar-interface.ts'

export const REDIRECT = {
  name: 'redirect',
  group: 'Run in a cluster',
  summary: 'redirect 169.254.169.254:80 to the sidecar (init container)',
  description:
    'Redirects connections to 169.254.169.254:80 in this network namespace to the sidecar. It changes the network at once: on your own machine run it with --dry-run first, and with --undo afterwards. Needs the capability NET_ADMIN, and the tools nft and ip.',
  flags: {
    mode: {
      value: 'MODE',
      choices: REDIRECT_MODES,
      help: "loopback (the default) also routes 169.254.169.254 to lo, so that the node's IMDS is out of reach; nft only redirects",
    },
    port: { value: 'PORT', help: `the sidecar's port (default ${DEFAULT_PORT}, or $PROXY_PORT)` },
    uid: {
      value: 'UID',
      help: `the sidecar's uid, exempt with --pass-through (default ${DEFAULT_UID}, or $PROXY_UID)`,
    },
    'pass-through': {
      help: "let the uid of --uid reach the node's IMDS; only with --mode nft",
    },
    wait: {
      value: 'SECONDS',
      help: 'then wait until the sidecar accepts connections on its port; when it restarts later, new connections wait instead of being refused',
    },
    'dry-run': { help: 'print what would be run, and run nothing' },
    undo: { help: 'remove the redirect' },
  },
  examples: ['wimds redirect --dry-run', 'wimds redirect --undo'],
  exitCodes: { 1: 'a tool failed, or the sidecar does not accept connections' },
} as const satisfies CommandDeclaration

/**
 * Applies or removes the redirect. Returns 0, or 1 if a tool failed or the sidecar does not accept
 * connections. Throws `UsageError`.
 */
export async function redirect(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, REDIRECT)
  const { waitSeconds, ...settings } = parseOptions(flags, io.env)
  const action = flags.has('undo') ? 'remove' : 'apply'
  if (flags.has('dry-run')) {
    io.stdout.write(formatScript(settings, action))
    if (action === 'apply' && waitSeconds !== undefined) {
      const script = formatScript(settings, 'await')
      io.stdout.write(`# once the sidecar accepts connections:\n${script}`)
    }
    return 0
  }
  try {
    const options = { path: io.env['PATH'], signal: io.signal }
    await changeRedirect(settings, action, options)
    io.stdout.write(`${formatSummary(settings, action)}\n`)
    if (action === 'remove' || waitSeconds === undefined) return 0
    if (!(await waitForPort(settings.port, waitSeconds * 1000, io.signal))) {
      throw new Error(
        `the sidecar does not accept connections on 127.0.0.1:${settings.port} after ${waitSeconds} s. Fix: read its log, kubectl logs POD -c wimds`,
      )
    }
    await changeRedirect(settings, 'await', options)
    return 0
  } catch (error) {
    printError(io, 'wimds redirect', errorMessage(error))
    return 1
  }
}

/**
 * Returns the options. A flag overrides the corresponding variable of azure-workload-identity. Throws a `UsageError` with every
 * problem.
 */
function parseOptions(flags: Flags<keyof typeof REDIRECT.flags>, env: CommandIo['env']) {
  const problems = [...flags.problems]
  const number = (flag: 'port' | 'uid', variable: string, max: number, fallback: number) =>
    parseNumberOption(flags.value(flag), `--${flag}`, { min: 1, max }, problems) ??
    parseNumberOption(env[variable] || undefined, variable, { min: 1, max }, problems) ??
    fallback

  const given = flags.value('mode')
  const mode = REDIRECT_MODES.find((each) => each === given) ?? 'loopback'
  const hasPassThrough = flags.has('pass-through')
  if (hasPassThrough && mode === 'loopback') {
    problems.push(
      "--pass-through needs --mode nft: in loopback mode the node's IMDS is unreachable",
    )
  }
  const port = number('port', 'PROXY_PORT', PORTS.max, DEFAULT_PORT)
  const uid = number('uid', 'PROXY_UID', 4_294_967_294, DEFAULT_UID)
  const fixed = { METADATA_IP, METADATA_PORT: `${METADATA_PORT}` }
  for (const [name, value] of Object.entries(fixed)) {
    const isOther = (env[name] || value) !== value
    if (isOther) problems.push(`${name} can only be ${value}. Fix: remove it`)
  }
  const waits = { min: 1, max: 3600 }
  const waitSeconds = parseNumberOption(flags.value('wait'), '--wait', waits, problems)
  if (problems.length > 0) throw new UsageError(problems)
  const exemptUid = hasPassThrough ? uid : undefined
  return { mode, port, exemptUid, waitSeconds }
}

function formatSummary(
  { mode, port, exemptUid }: RedirectSettings,
  action: 'apply' | 'remove',
): string {
  const target = `${METADATA_IP}:${METADATA_PORT}`
  if (action === 'remove') return `the redirect of ${target} is removed (mode ${mode})`
  const exempt = exemptUid === undefined ? '' : `, uid ${exemptUid} exempt`
  return `${target} is redirected to 127.0.0.1:${port} (mode ${mode}${exempt})`
}
