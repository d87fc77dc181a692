/** `wimds report`: lists the workloads that still call the metadata service, with advice on migration. */
import { UsageError } from '../../lib/errors.ts'
import { scrubSetting, Secret } from '../../lib/secret.ts'
import { errorMessage, printError } from '../../lib/describe-error.ts'
import {
  type CommandDeclaration,
  type Flags,
  isJsonOutput,
  OUTPUT_FLAGS,
  parseFlags,
} from '../../lib/args.ts'
import type { CommandIo } from '../../lib/command.ts'
import { toLine } from '../../lib/printable.ts'
import { DEFAULT_ADMIN_PORT } from '../../lib/sidecar-interface.ts'
import { formatDocument } from '../json-document.ts'
import { type ReportRow, createRows } from './rows.ts'
import { fetchFromPrometheus, fetchFromSidecar, formatMinute, type Sightings } from './sources.ts'

export const REPORT = {
  name: 'report',
  group: 'Find problems',
  summary: 'list the workloads that still call the sidecar, and how to migrate them',
  description: `Prints the workloads that still call the metadata service, their client libraries, and the version from which each library supports workload identity without the sidecar.

PROMETHEUS_TOKEN is sent to the Prometheus as a bearer token, over TLS only. Azure Monitor takes the token that az account get-access-token --resource https://prometheus.monitor.azure.com prints.`,
  flags: {
    url: {
      value: 'URL',
      isRepeatable: true,
      help: `admin port of a sidecar, reached by kubectl port-forward (default http://127.0.0.1:${DEFAULT_ADMIN_PORT})`,
    },
    prometheus: {
      value: 'URL',
      help: 'a Prometheus that scrapes the sidecars, for all workloads at once',
    },
    since: { value: 'TIME', help: 'how far back Prometheus looks (default 7d)' },
    ...OUTPUT_FLAGS,
  },
  examples: [
    `wimds report                # while kubectl port-forward -n shop pod/POD ${DEFAULT_ADMIN_PORT} runs`,
    'wimds report --prometheus http://localhost:9090 --since 30d',
  ],
  exitCodes: { 1: 'a source could not be read; the report then covers the others' },
} as const satisfies CommandDeclaration

/** The variable with a token for the Prometheus: an argument would be in the list of processes. */
const TOKEN = 'PROMETHEUS_TOKEN'

const SINCE = /^\d{1,5}[mhdwy]$/

/** Prints the rows. Returns exit code 0, or 1 if a source could not be read. Throws `UsageError`. */
export async function report(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, REPORT)
  const token = io.env[TOKEN]?.trim() ?? ''
  checkFlags(flags, token)
  const secret = token === '' ? undefined : new Secret(token)
  const outcomes = await Promise.allSettled(fetchSightings(flags, secret))
  const sources = outcomes.flatMap((outcome) =>
    outcome.status === 'fulfilled' ? [outcome.value] : [],
  )
  const rows = createRows(sources.flatMap(({ sightings }) => sightings))
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome] : []))
  printError(io, 'wimds report', ...failures.map(({ reason }) => errorMessage(reason)))
  if (sources.length > 0) {
    const text = rows.length === 0 ? formatNoRequests(sources) : formatRows(rows)
    io.stdout.write(isJsonOutput(flags) ? formatDocument({ rows }) : text)
  }
  return failures.length === 0 ? 0 : 1
}

function checkFlags(flags: Flags<keyof typeof REPORT.flags>, token: string): void {
  const prometheus = flags.value('prometheus')
  const problems = [
    ...flags.problems,
    ...(['url', 'prometheus'] as const).flatMap((flag) =>
      flags.values(flag).flatMap((url) => findUrlProblems(flag, url)),
    ),
    ...(SINCE.test(flags.value('since') ?? '7d')
      ? []
      : [`--since must be a time such as 12h or 7d, not ${JSON.stringify(flags.value('since'))}`]),
    ...(token !== '' && prometheus !== undefined ? findTokenProblems(token, prometheus) : []),
    ...(flags.has('since') && prometheus === undefined
      ? ['--since needs --prometheus: a sidecar reports all requests since its start']
      : []),
  ]
  if (problems.length > 0) throw new UsageError(problems)
}

const EXAMPLES = {
  url: `http://127.0.0.1:${DEFAULT_ADMIN_PORT}`,
  prometheus: 'http://127.0.0.1:9090',
} as const

function findUrlProblems(flag: keyof typeof EXAMPLES, text: string): string[] {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    return [
      `--${flag} must be a URL such as ${EXAMPLES[flag]}, its port at most 65535, not ${JSON.stringify(scrubSetting(text))}`,
    ]
  }
  const isAnonymous = url.username === '' && url.password === ''
  return isAnonymous
    ? []
    : [
        `--${flag} ${scrubSetting(text)} has a user and password, which are not sent. Fix: use kubectl port-forward`,
      ]
}

function findTokenProblems(token: string, prometheus: string): string[] {
  return [
    ...(/^[\x21-\x7e]+$/.test(token) ? [] : [`${TOKEN} must be a token, on one line`]),
    ...(/^https:/i.test(prometheus)
      ? []
      : [
          `${TOKEN} is sent over TLS only. Fix: give an https:// URL by --prometheus, or unset ${TOKEN}`,
        ]),
  ]
}

function fetchSightings(
  flags: Flags<keyof typeof REPORT.flags>,
  token: Secret | undefined,
): Promise<Sightings>[] {
  const prometheus = flags.value('prometheus')
  const given = flags.values('url')
  const urls = given.length === 0 && prometheus === undefined ? [EXAMPLES.url] : given
  return [
    ...urls.map(fetchFromSidecar),
    ...(prometheus === undefined
      ? []
      : [fetchFromPrometheus(prometheus, flags.value('since') ?? '7d', token)]),
  ]
}

const HEADINGS = ['WORKLOAD', 'CLIENT', 'VERSION', 'REQUESTS', 'LAST SEEN'] as const

/** Names the sidecars that had no requests, and the period: a Job that runs once a month may still need a sidecar. */
function formatNoRequests(sources: readonly Sightings[]): string {
  return `No requests to ${toLine(sources.map(({ scope }) => scope).join(', '))}.\n`
}

function formatRows(rows: readonly ReportRow[]): string {
  const cells = rows.map(({ workload, title, version, requests, lastSeenAt }) =>
    [
      workload,
      title,
      version === '' ? '-' : version,
      String(requests),
      formatMinute(lastSeenAt),
    ].map(toLine),
  )
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const lines = rows.flatMap((row, index) => [
    line(cells[index] ?? []),
    `    → ${formatAdvice(row)}`,
  ])
  return `${[line(HEADINGS), ...lines, '', formatSummary(rows)].join('\n')}\n`
}

function formatAdvice({
  supportsWorkloadIdentity,
  workloadIdentitySince,
  advice,
}: ReportRow): string {
  if (supportsWorkloadIdentity === true) return `this version supports workload identity: ${advice}`
  if (workloadIdentitySince !== undefined) return `upgrade to ${workloadIdentitySince}: ${advice}`
  return advice
}

function formatSummary(rows: readonly ReportRow[]): string {
  const workloads = Map.groupBy(rows, ({ workload }) => workload)
  const migratable = [...workloads.values()].filter((clients) =>
    clients.every(({ supportsWorkloadIdentity }) => supportsWorkloadIdentity === true),
  )
  const called = `${workloads.size} ${workloads.size === 1 ? 'workload calls' : 'workloads call'}`
  const have = `${migratable.length} ${migratable.length === 1 ? 'has' : 'have'}`
  return `${called}; ${have} only libraries whose current versions work without the sidecar.`
}
