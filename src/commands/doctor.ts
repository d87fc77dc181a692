/** `wimds doctor`: checks everything between the configuration and a token, here, in a pod or before an installation. */
import { type Config, loadConfig, loadNetwork } from '../config/config.ts'
import { addresses, addressesOrOff } from '../config/parsers.ts'
import { withDefaults } from '../config/settings.ts'
import { reportInvalidSettings, runChecks, type SidecarSettings } from '../doctor/checks.ts'
import { formatPodReport, formatPreReport } from '../doctor/format-findings.ts'
import { formatReport } from '../doctor/format-report.ts'
import { createKubectl } from '../doctor/kubectl.ts'
import { checkPod, parsePodName, type PodName } from '../doctor/pod/pod-check.ts'
import { checkBeforeInstallation } from '../doctor/pre/pre-check.ts'
import type { DoctorReport, PodReport, PreReport } from '../doctor/report.ts'
import { listChecks } from '../doctor/summary.ts'
import { ConfigError, UsageError } from '../errors.ts'
import { type Flags, findConflict, findFlagProblems, parseFlags } from '../lib/args.ts'
import { INJECTION_DEFAULTS } from '../kubernetes/injector/settings.ts'
import { ROUTING_MODES, type RoutingMode } from '../lib/routing-modes.ts'
import { describeSettings } from '../telemetry/settings-view.ts'
import { isJsonOutput } from './declarations/declaration.ts'
import { DOCTOR, FLAG_SCOPES } from './declarations/doctor.ts'
import { createDirectExchange } from './direct-exchange.ts'
import { type CommandIo, EXIT_NOT_CHECKED } from './io.ts'

type DoctorFlags = Flags<keyof typeof DOCTOR.flags>

/** A report, and its form for people. */
interface Printed {
  readonly report: DoctorReport | PodReport | PreReport
  readonly text: string
}

/**
 * Prints the report. Returns 0, or 1 if a check failed, or `EXIT_NOT_CHECKED` if none failed and one could not be
 * made. Throws `UsageError`, and `ConfigError` for settings that `--pre` cannot use.
 */
export async function doctor(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, DOCTOR.flags)
  const problems = [...findFlagProblems(flags), ...findConflicts(flags)]
  const pod = parsePodFlag(flags, problems)
  if (problems.length > 0) throw new UsageError(problems)
  const { report, text } = flags.has('pre')
    ? await checkCluster(flags, io)
    : pod === undefined
      ? await checkHere(flags, io)
      : await checkOtherPod(pod, flags, io)
  io.stdout.write(isJsonOutput(flags) ? `${JSON.stringify(report, null, 2)}\n` : text)
  if (report.ok) return 0
  return listChecks(report).some(({ status }) => status === 'failed') ? 1 : EXIT_NOT_CHECKED
}

/** Returns a sentence for each flag that has no meaning among the others. */
function findConflicts(flags: DoctorFlags): string[] {
  const isPre = flags.has('pre')
  const limit = (names: readonly (keyof typeof DOCTOR.flags)[], isMet: boolean, scope: string) =>
    isMet ? [] : names.filter(flags.has).map((name) => `--${name} is only for ${scope}`)
  return [
    ...findConflict(flags, ['pod', 'pre']),
    ...limit(FLAG_SCOPES.pre, isPre, '--pre'),
    ...limit(FLAG_SCOPES.outside, isPre || flags.has('pod'), '--pre and --pod'),
    ...limit(FLAG_SCOPES.sidecar, !isPre, 'checks of a sidecar, without --pre'),
  ]
}

/** Returns the pod; undefined without the flag, or with a problem added to the list. */
function parsePodFlag(flags: DoctorFlags, problems: string[]): PodName | undefined {
  const text = flags.value('pod')
  if (text === undefined) return undefined
  const pod = parsePodName(text)
  if (pod === undefined) problems.push(`--pod must be NAMESPACE/POD, not ${JSON.stringify(text)}`)
  return pod
}

function getMode(flags: DoctorFlags): RoutingMode | undefined {
  return ROUTING_MODES.find((mode) => mode === flags.value('mode'))
}

/** Checks a cluster before an installation. */
async function checkCluster(flags: DoctorFlags, { env, signal }: CommandIo): Promise<Printed> {
  const report = await checkBeforeInstallation({
    kubectl: createKubectl({ env, signal, context: flags.value('context') }),
    network: await loadNetwork(env),
    mode: getMode(flags) ?? INJECTION_DEFAULTS.mode,
    namespace: flags.value('namespace'),
    issuer: flags.value('issuer'),
  })
  return { report, text: formatPreReport(report) }
}

/** Checks a pod from outside. */
async function checkOtherPod(
  target: PodName,
  flags: DoctorFlags,
  { env, signal }: CommandIo,
): Promise<Printed> {
  const report = await checkPod({
    kubectl: createKubectl({ env, signal, context: flags.value('context') }),
    target,
    mode: getMode(flags),
    args: FLAG_SCOPES.sidecar.filter(flags.has).map((name) => `--${name}`),
  })
  return { report, text: formatPodReport(report, { isVerbose: flags.has('verbose') }) }
}

/** Checks this machine, with the settings of the environment. */
async function checkHere(flags: DoctorFlags, { env }: CommandIo): Promise<Printed> {
  const report = await runChecksHere(flags, env)
  return { report, text: formatReport(report, { isVerbose: flags.has('verbose') }) }
}

async function runChecksHere(flags: DoctorFlags, env: CommandIo['env']): Promise<DoctorReport> {
  const mode = getMode(flags)
  const skipSidecar = flags.has('no-sidecar')
  const settings = describeSettings(env)
  let config: Config
  try {
    const loaded = await loadConfig(env)
    config = mode === undefined ? loaded : { ...loaded, mode }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { problems } = error
    const sidecar = readSidecarSettings(env, mode)
    return reportInvalidSettings({ problems, settings, skipSidecar, sidecar })
  }
  await using direct = createDirectExchange(config)
  return await runChecks({
    config,
    settings,
    skipSidecar,
    exchange: flags.has('no-exchange') ? undefined : direct.exchange,
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
    ...(raw['WIMDS_NODE_NAME'] !== undefined && { nodeName: raw['WIMDS_NODE_NAME'] }),
    passThrough: raw['WIMDS_PASS_THROUGH'] === undefined ? [] : [raw['WIMDS_PASS_THROUGH']],
  }
}
