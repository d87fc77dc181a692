/** Formats docs/compatibility.md from the results. */
import { fileURLToPath } from 'node:url'
import { MODE_NAMES, MODES, type ModeName } from '../harness/modes.ts'
import { formatTitle, type Client } from './client.ts'
import { CLIENTS } from './clients.ts'
import { formatSummary, type RowResult } from './result.ts'

export const COMPATIBILITY_FILE = fileURLToPath(
  new URL('../../../docs/compatibility.md', import.meta.url),
)

/** The status of a row; `left-out` when a run did not select it. */
type Status = RowResult['status'] | 'left-out'
const SYMBOLS = { passed: '✓', failed: '✗', skipped: 'skipped', 'left-out': 'not run' } as const

const INTRODUCTION = `# Compatibility

<!-- Written by \`npm run test:clients -- --write-docs\`; do not edit by hand. -->

Each client is the published package at the version shown. Each mode ran in its own process, against the built sidecar and a
simulated Entra ID that validates the projected token. A ✓ means that the client's token had the right signature, audience and
identity and, if the client reports one, the right expiry.

- ✓ passed; ✗ failed; – the client has no such mode; skipped: its toolchain was missing; not run: not selected.
- If a client does not return its token, the token that Resource Manager or the storage service received is checked.

The columns, with the set of variables of \`wimds env --for\` in parentheses:

- **IMDS**: 169.254.169.254:80 without an identity; **client id**, **object id** and **resource id**: with one. These require
  the routing mode \`loopback\`, \`nft\` or \`node\`.
- **host override** (\`imds\`): \`AZURE_POD_IDENTITY_AUTHORITY_HOST\`, or [an option](#without-a-redirect) of the client.
- **App Service 2019** (\`app-service\`): \`IDENTITY_ENDPOINT\` and \`IDENTITY_HEADER\`.
- **App Service 2017** (\`app-service-2017\`): \`MSI_ENDPOINT\` and \`MSI_SECRET\`; Azure Machine Learning for MSAL, with the same
  protocol.
- **Cloud Shell** (\`cloud-shell\`): only \`MSI_ENDPOINT\`.
- **port 50342**: the retired VM extension's protocol, a form posted to localhost.

\`npm run test:clients -- --cold-start\` runs each row with a new sidecar whose first exchange gets a 503. All rows pass.
DefaultAzureCredential of Go azidentity 1.1 allows 1 s for the whole request, so it can fail on a machine under load.

The .NET client is the npm package \`@azure/mcp-linux-x64\`; its first token must take less than 5 s. The C++ client is the PyPI
package \`pyarrow\`. Rows of DefaultAzureCredential show that its probe for IMDS (limit 0.3 to 2 s) succeeds and that no other
credential of the chain is used.
`

/** Formats the page. */
export function formatCompatibility(results: readonly RowResult[]): string {
  const statuses = new Map(results.map((result) => [createKey(result), result.status]))
  const findStatus = (client: Client, mode: ModeName): Status =>
    statuses.get(createKey({ language: client.language, title: formatTitle({ client, mode }) })) ??
    'left-out'
  const languages = [...new Set(CLIENTS.map(({ language }) => language))]
  const sections = languages.map((language) => formatSection(language, findStatus))
  return [INTRODUCTION, formatTotals(results), ...sections, formatVariables()].join('\n')
}

/** Formats the numbers of clients and rows of the run. */
function formatTotals(results: readonly RowResult[]): string {
  const clients = new Set(
    results.map(({ language, title }) => `${language} ${title.split(': ')[0]}`),
  )
  return `The last run: ${clients.size} clients in ${results.length} rows; ${formatSummary(results)}.\n`
}

type FindStatus = (client: Client, mode: ModeName) => Status

const createKey = ({ language, title }: Pick<RowResult, 'language' | 'title'>): string =>
  `${language} ${title}`

function formatSection(language: string, findStatus: FindStatus): string {
  const clients = CLIENTS.filter((client) => client.language === language)
  const modes = MODE_NAMES.filter((mode) => clients.some((client) => client.modes.includes(mode)))
  const rows = clients.map((client) => [
    client.name,
    client.version || '–',
    ...modes.map((mode) => (client.modes.includes(mode) ? SYMBOLS[findStatus(client, mode)] : '–')),
  ])
  const header = ['Client', 'Version', ...modes.map((mode) => MODES[mode].title)]
  return `## ${language}\n\n${formatTable([header, ...rows])}`
}

/** Formats what a ✓ says to users of mode env, and the options that clients have instead of a variable. */
function formatVariables(): string {
  const options = CLIENTS.flatMap(({ language, name, hostOption }) =>
    hostOption === undefined ? [] : `- ${language} ${name}: \`${hostOption}\``,
  )
  return `## Without a redirect

In routing mode \`env\`, a ✓ in **host override** or a later column is a set of variables that works, except port 50342, which
needs \`WIMDS_LISTEN=127.0.0.1:50342\` in the sidecar. Use only one set: most clients interpret several as another protocol. A
client without a ✓ there needs a redirect.

These clients have an option instead of the variable of host override:

${options.join('\n')}
`
}

/** Formats a Markdown table with aligned columns, as Prettier does. */
function formatTable(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [header = [], ...body] = rows
  return `${[line(header), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')}\n`
}
