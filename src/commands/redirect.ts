/** `wimds redirect`: the init container that makes 169.254.169.254:80 reach the sidecar. */
import { isIPv4 } from 'node:net'
import { run } from '../redirect/run.ts'
import {
  REDIRECT_DEFAULTS,
  REDIRECT_MODES,
  type RedirectMode,
  type RedirectSettings,
} from '../redirect/settings.ts'
import { type Step, asShell, redirectChecks, redirectSteps, undoSteps } from '../redirect/steps.ts'
import { UsageError } from '../errors.ts'
import { complain } from '../lib/print-error.ts'
import { type Flags, mistakesOfFlagsAlone, parseFlags } from '../lib/args.ts'
import type { CommandIo } from './io.ts'
import { messageOf } from '../lib/collect-errors.ts'

const USAGE = `usage: wimds redirect [--mode loopback|nft] [--port PORT] [--uid UID] [--pass-through]
                      [--dry-run] [--undo]

Makes connections to 169.254.169.254:80 in this network namespace reach the sidecar.
Needs the capability NET_ADMIN, and the tools nft and ip.

  --mode loopback   also put 169.254.169.254 on lo, out of reach of the node (the default)
  --mode nft        redirect alone
  --port PORT       the sidecar's port (default 8000, or $PROXY_PORT)
  --uid UID         the sidecar's uid, exempt with --pass-through (default 1501, or $PROXY_UID)
  --pass-through    let that uid reach the real IMDS; only with --mode nft
  --dry-run         print what would be run, and run nothing
  --undo            remove the redirect
`

const FLAGS = {
  mode: 'value',
  port: 'value',
  uid: 'value',
  'pass-through': 'switch',
  'dry-run': 'switch',
  undo: 'switch',
  help: 'switch',
} as const

/** Runs the command. Exit code 0, 1 when a tool failed, 64 for bad usage. */
export async function redirect(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  if (flags.has('help')) {
    io.stdout.write(USAGE)
    return 0
  }
  const settings = settingsOf(flags, io.env)
  const isUndo = flags.has('undo')
  const steps = isUndo ? undoSteps(settings) : redirectSteps(settings)
  if (flags.has('dry-run')) {
    io.stdout.write(asShell(steps))
    return 0
  }
  try {
    await apply(steps, isUndo ? undefined : settings, io)
  } catch (error) {
    complain(io, 'wimds redirect', messageOf(error))
    return 1
  }
  io.stdout.write(`${summaryOf(settings, isUndo)}\n`)
  return 0
}

/** Runs the steps in order and, if something was made, looks whether it is there. */
async function apply(
  steps: readonly Step[],
  made: RedirectSettings | undefined,
  { env, signal }: CommandIo,
): Promise<void> {
  const options = { path: env['PATH'], signal }
  for (const step of steps) await run(step, options)
  if (made === undefined) return
  for (const check of redirectChecks(made)) {
    if (!check.holds(await run(check.step, options))) throw new Error(check.failure)
  }
}

/** The settings; throws every mistake. A flag comes before the incumbent's variable of the same use. */
function settingsOf(flags: Flags<keyof typeof FLAGS>, env: CommandIo['env']): RedirectSettings {
  const mistakes = mistakesOfFlagsAlone(flags)
  const number = (flag: 'port' | 'uid', variable: string, most: number, fallback: number) =>
    whole(flags.value(flag), `--${flag}`, most, mistakes) ??
    whole(env[variable] || undefined, variable, most, mistakes) ??
    fallback

  const mode = flags.value('mode') ?? REDIRECT_DEFAULTS.mode
  if (!isMode(mode)) mistakes.push(`--mode must be one of ${REDIRECT_MODES.join(', ')}`)
  const isPassing = flags.has('pass-through')
  if (isPassing && mode === 'loopback') {
    mistakes.push('--pass-through needs --mode nft: in loopback mode no real IMDS can be reached')
  }
  const metadataIp = env['METADATA_IP'] || REDIRECT_DEFAULTS.metadataIp
  if (!isIPv4(metadataIp)) mistakes.push('METADATA_IP must be an IPv4 address')
  const port = number('port', 'PROXY_PORT', 65_535, REDIRECT_DEFAULTS.port)
  const uid = number('uid', 'PROXY_UID', 4_294_967_294, REDIRECT_DEFAULTS.uid)
  const metadataPort =
    whole(env['METADATA_PORT'] || undefined, 'METADATA_PORT', 65_535, mistakes) ??
    REDIRECT_DEFAULTS.metadataPort
  if (mistakes.length > 0 || !isMode(mode)) throw new UsageError(mistakes)
  return { mode, port, metadataIp, metadataPort, exemptUid: isPassing ? uid : undefined }
}

function isMode(text: string): text is RedirectMode {
  return REDIRECT_MODES.some((mode) => mode === text)
}

/** The number from 1 to `most` that the text holds; a mistake is noted under the setting's name. */
function whole(text: string | undefined, name: string, most: number, mistakes: string[]) {
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value
  mistakes.push(`${name} must be a whole number from 1 to ${most}, not ${JSON.stringify(text)}`)
  return undefined
}

function summaryOf(
  { mode, metadataIp, metadataPort, port, exemptUid }: RedirectSettings,
  isUndo: boolean,
) {
  const target = `${metadataIp}:${metadataPort}`
  if (isUndo) return `no redirect of ${target} is left (mode ${mode})`
  const exempt = exemptUid === undefined ? '' : `, uid ${exemptUid} exempt`
  return `${target} reaches 127.0.0.1:${port} (mode ${mode}${exempt})`
}
