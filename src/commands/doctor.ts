/** `wimds doctor`: why there is no token, and what to do about it. */
import { examine } from '../doctor/examine.ts'
import { reportText } from '../doctor/text.ts'
import { ConfigError, UsageError } from '../errors.ts'
import { describeSettings } from '../telemetry/settings-view.ts'
import { VERSION } from '../version.ts'
import { type Configured, configured } from './configured.ts'
import { createDirectExchange } from './direct-exchange.ts'
import { mistakesOfFlagsAlone, parseFlags } from '../lib/args.ts'
import { type CommandIo, EXIT_USAGE } from './io.ts'

const USAGE = `usage: wimds doctor [--json] [--no-exchange]

Looks at the settings in force, the claims of the projected token, the way to Entra ID and the
clock, and exchanges once for each identity: for its prefetch resources, else for Azure Resource
Manager. Explains what Entra ID refuses, and prints the commands that mend a missing credential.
No token is printed.

  --json          the report as JSON
  --no-exchange   leaves the trial exchanges out

Exit code 0 when an application would get its token, 1 when not, 64 when the settings are wrong.
`

const FLAGS = { json: 'switch', 'no-exchange': 'switch', help: 'switch' } as const

/** Prints the report. Exit code 0, 1 when a token would not be had, 64 for bad usage or settings. */
export async function doctor(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  if (flags.has('help')) {
    io.stdout.write(USAGE)
    return 0
  }
  const mistakes = mistakesOfFlagsAlone(flags)
  if (mistakes.length > 0) throw new UsageError(mistakes)
  const given = await configuration(io, flags.has('json'))
  if (given === undefined) return EXIT_USAGE
  const { config, extraCa } = given
  await using direct = createDirectExchange(given)
  const report = await examine({
    config,
    settings: describeSettings(io.env),
    extraCa,
    exchange: flags.has('no-exchange') ? undefined : direct.exchange,
    skewMs: direct.skewMs,
    now: Date.now,
  })
  io.stdout.write(flags.has('json') ? `${JSON.stringify(report, null, 2)}\n` : reportText(report))
  return report.ok ? 0 : 1
}

/** With `isJson`, mistakes too are told as JSON; then there is no configuration. */
async function configuration(io: CommandIo, isJson: boolean): Promise<Configured | undefined> {
  try {
    return await configured(io.env)
  } catch (error) {
    if (!isJson || !(error instanceof ConfigError)) throw error
    const [, ...mistakes] = error.message.split('\n').map((line) => line.trim())
    const report = { schemaVersion: 1, version: VERSION, ok: false, mistakes }
    io.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    return undefined
  }
}
