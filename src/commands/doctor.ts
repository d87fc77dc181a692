/** `wimds doctor`: checks everything between the configuration and a token. */
import { type Config, loadConfig } from '../config/config.ts'
import { addresses, addressesOrOff } from '../config/parsers.ts'
import { withDefaults } from '../config/settings.ts'
import { reportInvalidSettings, runChecks, type SidecarSettings } from '../doctor/checks.ts'
import { formatReport } from '../doctor/format-report.ts'
import type { CheckSummary, DoctorReport } from '../doctor/report.ts'
import { ConfigError, UsageError } from '../errors.ts'
import { findFlagProblems, parseFlags } from '../lib/args.ts'
import { ROUTING_MODES, type RoutingMode } from '../lib/routing-modes.ts'
import { describeSettings } from '../telemetry/settings-view.ts'
import { isJsonOutput } from './declarations/declaration.ts'
import { DOCTOR } from './declarations/doctor.ts'
import { createDirectExchange } from './direct-exchange.ts'
import { type CommandIo, EXIT_NOT_CHECKED } from './io.ts'

interface DoctorOptions {
  readonly mode: RoutingMode | undefined
  readonly skipSidecar: boolean
  readonly skipExchange: boolean
}

/** Prints the report. Returns 0, or 1 if a check failed, or 2 if one could not be made. */
export async function doctor(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, DOCTOR.flags)
  const problems = findFlagProblems(flags)
  if (problems.length > 0) throw new UsageError(problems)
  const report = await checkHere(io.env, {
    mode: ROUTING_MODES.find((mode) => mode === flags.value('mode')),
    skipSidecar: flags.has('no-sidecar'),
    skipExchange: flags.has('no-exchange'),
  })
  const text = isJsonOutput(flags)
    ? `${JSON.stringify(report, null, 2)}\n`
    : formatReport(report, { isVerbose: flags.has('verbose') })
  io.stdout.write(text)
  return toExitCode(report.checks)
}

function toExitCode(checks: readonly CheckSummary[]): number {
  if (checks.some(({ status }) => status === 'failed')) return 1
  return checks.some(({ status }) => status === 'not_checked') ? EXIT_NOT_CHECKED : 0
}

/** Checks this machine, with the settings of the environment. */
async function checkHere(
  env: CommandIo['env'],
  { mode, skipSidecar, skipExchange }: DoctorOptions,
): Promise<DoctorReport> {
  const settings = describeSettings(env)
  let config: Config
  try {
    const loaded = await loadConfig(env)
    config = mode === undefined ? loaded : { ...loaded, mode }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [, ...problems] = error.message.split('\n').map((line) => line.trim())
    const sidecar = readSidecarSettings(env, mode)
    return reportInvalidSettings({ problems, settings, skipSidecar, sidecar })
  }
  await using direct = createDirectExchange(config)
  return await runChecks({
    config,
    settings,
    skipSidecar,
    exchange: skipExchange ? undefined : direct.exchange,
    skewMs: direct.skewMs,
    now: Date.now,
  })
}

/** Returns what leads to the sidecar although other settings are invalid; undefined if it is invalid itself. */
function readSidecarSettings(
  env: CommandIo['env'],
  mode: RoutingMode | undefined,
): SidecarSettings | undefined {
  const raw = withDefaults(env)
  const listen = addresses.safeParse(raw['WIMDS_LISTEN'])
  const adminListen = addressesOrOff.safeParse(raw['WIMDS_ADMIN_LISTEN'])
  if (!listen.success || !adminListen.success) return undefined
  const knownMode = mode ?? ROUTING_MODES.find((each) => each === raw['WIMDS_MODE'])
  return {
    listen: listen.data,
    adminListen: adminListen.data,
    ...(knownMode !== undefined && { mode: knownMode }),
    passThrough: raw['WIMDS_PASS_THROUGH'] === undefined ? [] : [raw['WIMDS_PASS_THROUGH']],
  }
}
