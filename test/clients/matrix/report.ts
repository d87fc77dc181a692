/** docs/compatibility.md, written from results. */
import { fileURLToPath } from 'node:url'
import { MODE_NAMES, MODES, type ModeName } from '../harness/modes.ts'
import { titleOf, type Client } from './client.ts'
import { CLIENTS } from './clients.ts'
import type { RowResult } from './result.ts'

export const COMPATIBILITY_FILE = fileURLToPath(
  new URL('../../../docs/compatibility.md', import.meta.url),
)

/** A row's status on the page; a run of some rows leaves the others out. */
type Status = RowResult['status'] | 'left-out'
const SYMBOLS = { passed: '✓', failed: '✗', skipped: 'skipped', 'left-out': 'not run' } as const

/** The modes that are switched on by variables in the client's environment, and by which ones. */
const BY_VARIABLE: Partial<Record<ModeName, string>> = {
  'host-override': '`AZURE_POD_IDENTITY_AUTHORITY_HOST`',
  'app-service-2019': '`IDENTITY_ENDPOINT` and `IDENTITY_HEADER`',
  'app-service-2017': '`MSI_ENDPOINT` and `MSI_SECRET`',
  'cloud-shell': '`MSI_ENDPOINT`',
}

const INTRODUCTION = `# Compatibility

<!-- Written by \`npm run test:clients -- --write-docs\`; do not edit by hand. -->

Every client below is the published package at the version shown. Each was run in each of its modes,
in a process of its own, against the built sidecar and a simulated Entra ID that verifies the
projected token. A ✓ means that the token the client handed to its application had the right
signature, audience and identity and, where the client tells one, the right expiry.

- ✓ works; ✗ does not; – the client has no such mode.
- skipped: the client's toolchain was not on the machine that wrote this page; not run: the run that
  wrote it left the mode out.

The columns:

- **IMDS**: the request goes to 169.254.169.254:80 and names no identity; **client id**,
  **object id** and **resource id**: it names one. These need the \`loopback\` or \`nft\` routing mode.
- **host override**: \`AZURE_POD_IDENTITY_AUTHORITY_HOST\` moves the same protocol elsewhere. The
  old \`ms-rest\` packages take the address as an option instead.
- **App Service 2019**: \`IDENTITY_ENDPOINT\` and \`IDENTITY_HEADER\`.
- **App Service 2017**: \`MSI_ENDPOINT\` and \`MSI_SECRET\`. MSAL takes these for Azure Machine Learning,
  which has the same protocol.
- **Cloud Shell**: \`MSI_ENDPOINT\` alone.
- **port 50342**: the form of the retired VM extension, posted to localhost.

DefaultAzureCredential first probes for IMDS with a time limit of its own, from 0.3 to 2 s. Those rows
show that the probe is answered and that no credential of the chain gets in the way.
`

/** The whole page. */
export function compatibilityDocument(results: readonly RowResult[]): string {
  const statuses = new Map(results.map((result) => [keyOf(result), result.status]))
  const statusOf = (client: Client, mode: ModeName): Status =>
    statuses.get(keyOf({ language: client.language, title: titleOf({ client, mode }) })) ??
    'left-out'
  const languages = [...new Set(CLIENTS.map(({ language }) => language))]
  const sections = languages.map((language) => section(language, statusOf))
  return [INTRODUCTION, ...sections, environmentSection(statusOf)].join('\n')
}

type StatusOf = (client: Client, mode: ModeName) => Status

const keyOf = ({ language, title }: Pick<RowResult, 'language' | 'title'>): string =>
  `${language} ${title}`

function section(language: string, statusOf: StatusOf): string {
  const clients = CLIENTS.filter((client) => client.language === language)
  const rows = clients.map((client) => [
    client.name,
    client.version || '–',
    ...MODE_NAMES.map((mode) =>
      client.modes.includes(mode) ? SYMBOLS[statusOf(client, mode)] : '–',
    ),
  ])
  const header = ['Client', 'Version', ...MODE_NAMES.map((mode) => MODES[mode].title)]
  return `## ${language}\n\n${table([header, ...rows])}`
}

function environmentSection(statusOf: StatusOf): string {
  const rows = CLIENTS.map((client) => [
    [client.language, client.name, client.version].filter(Boolean).join(' '),
    withoutRedirect(client, statusOf),
  ])
  return `## Without a redirect

The routing mode \`env\` sets variables in place of redirecting 169.254.169.254. They are switches:
set only one of the sets, since several together mean something else to most clients. \`wimds env\`
prints them.

${table([['Client', 'Set one of'], ...rows])}`
}

/** The variables that were seen to work, or why there are none to name. */
function withoutRedirect(client: Client, statusOf: StatusOf): string {
  const modes = client.modes.filter((mode) => mode in BY_VARIABLE)
  const working = modes.filter((mode) => statusOf(client, mode) === 'passed')
  const names = working.flatMap((mode) =>
    mode === 'host-override' && client.hostOption !== undefined
      ? [`its option \`${client.hostOption}\``]
      : [BY_VARIABLE[mode] ?? []].flat(),
  )
  if (names.length > 0) return names.join('; or ')
  if (client.modes.includes('vm-extension')) return 'nothing but `WIMDS_LISTEN=127.0.0.1:50342`'
  return modes.length === 0 ? 'needs a redirect' : 'not run'
}

/** A Markdown table with its columns aligned, as Prettier writes it. */
function table(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [header = [], ...body] = rows
  return `${[line(header), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')}\n`
}
