/** `wimds report`: who still calls the metadata service, and what would make the sidecar unnecessary. */
import { UsageError } from '../../errors.ts'
import { scrubSetting } from '../../secret.ts'
import { complain } from '../../lib/print-error.ts'
import { type Flags, mistakesOfFlagsAlone, parseFlags } from '../../lib/args.ts'
import type { CommandIo } from '../io.ts'
import { messageOf } from '../../lib/collect-errors.ts'
import { type ReportRow, rowsOf, type Sighting } from './rows.ts'
import { fromPrometheus, fromSidecar } from './sources.ts'

const USAGE = `usage: wimds report [--url URL]... [--prometheus URL [--since 7d]] [--json]

Which workloads still call the metadata service, with which client library, and the version from which
that library speaks workload identity itself, so that the sidecar can go.

  --url URL         admin port of a sidecar (http://127.0.0.1:9169), reached by kubectl port-forward
  --prometheus URL  a Prometheus that scrapes the sidecars, for all workloads at once
  --since TIME      how far back Prometheus looks (7d)
  --json            the rows as JSON

Exit code 1 when a source could not be read; the report is of the others then.
`

const FLAGS = {
  url: 'value',
  prometheus: 'value',
  since: 'value',
  json: 'switch',
  help: 'switch',
} as const
const SINCE = /^\d{1,5}[mhdwy]$/

/** Prints the rows. Exit code 0, 1 when a source could not be read, 64 for bad usage. */
export async function report(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, FLAGS)
  if (flags.has('help')) {
    io.stdout.write(USAGE)
    return 0
  }
  requireSound(flags)
  const outcomes = await Promise.allSettled(sightings(flags))
  const rows = rowsOf(
    outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : [])),
  )
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome] : []))
  complain(io, 'wimds report', ...failures.map(({ reason }) => messageOf(reason)))
  if (failures.length < outcomes.length) {
    io.stdout.write(flags.has('json') ? `${JSON.stringify({ rows }, null, 2)}\n` : asText(rows))
  }
  return failures.length === 0 ? 0 : 1
}

function requireSound(flags: Flags<keyof typeof FLAGS>): void {
  const urls = [...flags.values('url'), ...flags.values('prometheus')]
  const mistakes = [
    ...mistakesOfFlagsAlone(flags),
    ...urls.flatMap((url) => urlMistakes(url)),
    ...(SINCE.test(flags.value('since') ?? '7d')
      ? []
      : ['--since must be a time such as 12h or 7d']),
  ]
  if (mistakes.length > 0) throw new UsageError(mistakes)
}

function urlMistakes(text: string): string[] {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    return [`${scrubSetting(text)} is not an http(s) URL`]
  }
  const isAnonymous = url.username === '' && url.password === ''
  return isAnonymous
    ? []
    : [
        `${scrubSetting(text)} has a user and password, which are not sent: use kubectl port-forward`,
      ]
}

function sightings(flags: Flags<keyof typeof FLAGS>): Promise<Sighting[]>[] {
  const prometheus = flags.value('prometheus')
  const given = flags.values('url')
  const urls = given.length === 0 && prometheus === undefined ? ['http://127.0.0.1:9169'] : given
  return [
    ...urls.map(fromSidecar),
    ...(prometheus === undefined ? [] : [fromPrometheus(prometheus, flags.value('since') ?? '7d')]),
  ]
}

const HEADINGS = ['WORKLOAD', 'CLIENT', 'VERSION', 'REQUESTS', 'LAST SEEN'] as const

function asText(rows: readonly ReportRow[]): string {
  if (rows.length === 0) return 'Nobody has called: the sidecar is not needed.\n'
  const cells = rows.map(({ workload, title, version, requests, lastSeenAt }) => [
    workload,
    title,
    version === '' ? '-' : version,
    String(requests),
    `${lastSeenAt.slice(0, 16).replace('T', ' ')} UTC`,
  ])
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const lines = rows.flatMap((row, index) => [line(cells[index] ?? []), `    → ${remedyOf(row)}`])
  return `${[line(HEADINGS), ...lines, '', summaryOf(rows)].join('\n')}\n`
}

function remedyOf({ supportsWorkloadIdentity, workloadIdentitySince, advice }: ReportRow): string {
  if (supportsWorkloadIdentity === true) return `this version speaks workload identity: ${advice}`
  if (workloadIdentitySince !== undefined) return `upgrade to ${workloadIdentitySince}: ${advice}`
  return advice
}

function summaryOf(rows: readonly ReportRow[]): string {
  const workloads = Map.groupBy(rows, ({ workload }) => workload)
  const free = [...workloads.values()].filter((own) =>
    own.every(({ supportsWorkloadIdentity }) => supportsWorkloadIdentity === true),
  )
  const called = `${workloads.size} ${workloads.size === 1 ? 'workload calls' : 'workloads call'}`
  return `${called}; ${free.length} of them could do without the sidecar with the libraries they have.`
}
