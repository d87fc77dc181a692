/** The programs of Prometheus and Alertmanager, if the machine has them. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Returns whether Prometheus is installed; prints a line if not. */
export const hasPrometheus = (): boolean =>
  hasPrograms('prometheus', ['/usr/bin/promtool', '/usr/bin/prometheus'])

/** Returns whether Alertmanager is installed; prints a line if not. */
export const hasAlertmanager = (): boolean =>
  hasPrograms('prometheus-alertmanager', ['/usr/bin/amtool', '/usr/bin/prometheus-alertmanager'])

function hasPrograms(debianPackage: string, paths: readonly string[]): boolean {
  const missing = paths.filter((path) => !existsSync(path))
  if (missing.length === 0) return true
  process.stdout.write(
    `skipped: there is no ${missing.join(' and no ')} (Debian's package ${debianPackage})\n`,
  )
  return false
}

interface Result {
  readonly isOk: boolean
  readonly output: string
}

/** Runs promtool; `input` goes to its standard input. */
export const promtool = (args: readonly string[], input = '') =>
  runProgram('/usr/bin/promtool', args, input)

/** Runs amtool. */
export const amtool = (...args: readonly string[]) => runProgram('/usr/bin/amtool', args)

function runProgram(path: string, args: readonly string[], input = ''): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(path, args, (error, stdout, stderr) => {
      resolve({ isOk: error === null, output: stdout + stderr })
    })
    child.stdin?.end(input)
  })
}
