/** Runs `wimds doctor` inside a test. */
import { doctor } from '../../../src/tools/doctor/doctor.ts'
import type { CheckName, Finding, Sections } from '../../../src/tools/doctor/doctor-report.ts'
import { createSimulator, type Simulator } from '../../../src/tools/simulator/simulator.ts'
import { environmentOf, startServe } from '../../fixtures/served.ts'
import { runCommand } from '../capture.ts'

type Env = Readonly<Record<string, string>>

/** Starts a sidecar; `env` are its settings, for doctor. */
export async function serve(simulator: Simulator, changes: Env = {}) {
  const settings = { ...environmentOf(simulator), ...changes }
  const sidecar = await startServe(settings)
  const env = {
    ...settings,
    WIMDS_LISTEN: `127.0.0.1:${sidecar.port}`,
    WIMDS_ADMIN_LISTEN: `127.0.0.1:${sidecar.adminPort}`,
  }
  return { sidecar, env, [Symbol.asyncDispose]: async () => void (await sidecar.stop()) }
}

/** Starts a simulator and a sidecar. */
export async function startSidecar() {
  const simulator = await createSimulator()
  const served = await serve(simulator)
  const stop = async () => {
    await served.sidecar.stop()
    await simulator.close()
  }
  return { ...served, simulator, stop }
}

/** Returns the exit code and what was printed. */
export async function runDoctor(args: readonly string[], env: Env = {}) {
  const { code, out, err } = await runCommand(doctor, args, env)
  return { code, stdout: out, stderr: err }
}

/** Returns the exit code and the report. */
export async function diagnose(args: readonly string[], env: Env = {}) {
  const { code, stdout } = await runDoctor([...args, '-o', 'json'], env)
  const report: Sections & { readonly ok: boolean } = JSON.parse(stdout)
  const { checks } = report
  const failed = checks.filter(({ status }) => status === 'failed')
  return {
    code,
    report,
    /** Returns the findings of a check. */
    find: (name: CheckName): readonly Finding[] => checks.filter(({ check }) => check === name),
    /** `check: code` of each failed check. */
    failures: failed.map(({ check, failure }) => `${check}: ${failure?.code}`),
    problems: failed.flatMap(({ failure }) => failure ?? []),
    /** The fixes of the failed checks. */
    fixes: failed.map(({ failure }) => failure?.fix).join('\n'),
  }
}
