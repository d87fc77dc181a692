/** `wimds doctor`: checks everything between the configuration and a token. */
import { type Config, loadConfig } from '../config/config.ts'
import { runChecks } from '../doctor/checks.ts'
import { formatReport } from '../doctor/format-report.ts'
import { ConfigError, UsageError } from '../errors.ts'
import { findFlagProblems, parseFlags } from '../lib/args.ts'
import { describeSettings } from '../telemetry/settings-view.ts'
import { VERSION } from '../version.ts'
import { isJsonOutput } from './declarations/declaration.ts'
import { DOCTOR } from './declarations/doctor.ts'
import { createDirectExchange } from './direct-exchange.ts'
import { type CommandIo, EXIT_USAGE } from './io.ts'

/** Prints the report. Returns 0 if all checks passed, 1 if one failed, 64 if the settings are invalid. */
export async function doctor(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, DOCTOR.flags)
  const problems = findFlagProblems(flags)
  if (problems.length > 0) throw new UsageError(problems)
  const config = await readConfig(io, isJsonOutput(flags))
  if (config === undefined) return EXIT_USAGE
  await using direct = createDirectExchange(config)
  const report = await runChecks({
    config,
    settings: describeSettings(io.env),
    skipSidecar: flags.has('no-sidecar'),
    exchange: flags.has('no-exchange') ? undefined : direct.exchange,
    skewMs: direct.skewMs,
    now: Date.now,
  })
  io.stdout.write(
    isJsonOutput(flags) ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report),
  )
  return report.ok ? 0 : 1
}

/** With `asJson`, prints the problems of invalid settings as JSON and returns undefined. */
async function readConfig(io: CommandIo, asJson: boolean): Promise<Config | undefined> {
  try {
    return await loadConfig(io.env)
  } catch (error) {
    if (!asJson || !(error instanceof ConfigError)) throw error
    const [, ...problems] = error.message.split('\n').map((line) => line.trim())
    const report = { schemaVersion: 1, version: VERSION, ok: false, problems }
    io.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    return undefined
  }
}
