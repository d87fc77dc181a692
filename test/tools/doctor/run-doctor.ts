/** `wimds doctor` inside a test. */
import { doctor } from '../../../src/tools/doctor/doctor.ts'
import {
  type CheckName,
  type DoctorReport,
  type Finding,
  listChecks,
} from '../../../src/tools/doctor/doctor-report.ts'
import { captureIo, exitCode } from '../capture.ts'

type Env = Readonly<Record<string, string>>

/** Returns the exit code and what was printed. */
export async function runDoctor(args: readonly string[], env: Env = {}) {
  const io = captureIo(env)
  const code = await exitCode(doctor, args, io)
  return { code, stdout: io.out(), stderr: io.err() }
}

/** Returns the exit code and the report. */
export async function diagnose(args: readonly string[], env: Env = {}) {
  const { code, stdout } = await runDoctor([...args, '-o', 'json'], env)
  return { code, ...readReport(stdout) }
}

/** Parses a report; the checks inside a pod are among the others. */
export function readReport(stdout: string) {
  const report: DoctorReport = JSON.parse(stdout)
  const checks = listChecks(report)
  const failed = checks.filter(({ status }) => status === 'failed')
  return {
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
