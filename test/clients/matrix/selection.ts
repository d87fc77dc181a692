/** Parses the command line: which rows to run, and where to write the results. */
import { parseArgs } from 'node:util'
import { MODE_NAMES, MODES, type ModeName } from '../harness/modes.ts'
import type { Server } from '../harness/stack.ts'
import { formatTitle, IMDS_MODES, modesOf, type Row } from './client.ts'
import { CLIENTS } from './clients.ts'

export interface Selection {
  readonly rows: readonly Row[]
  /** File for the results as JSON. */
  readonly json?: string
  /** True: docs/compatibility.md is rewritten. */
  readonly writesDocs: boolean
  /** True: every row has a new sidecar, whose first exchange is answered with 503. */
  readonly coldStart: boolean
  /** What answers the clients. */
  readonly server: Server
  /** True: the packages are installed, and no row runs. */
  readonly installsOnly: boolean
  /** Set inside a sandbox: the file with the installations. */
  readonly installations?: string
}

export const USAGE = `usage: npm run test:clients -- [--only TEXT]... [--modes LIST] [--broker] [--cold-start]
                                      [--json FILE] [--write-docs] [--install-only]
  --only TEXT    rows whose title contains the text, as in "Python", "1.5.0" or "azidentity"
  --modes LIST   modes or protocols, separated by commas: ${MODE_NAMES.join(', ')},
                 or imds, app-service, cloud-shell
  --broker       the broker of mode node in place of a sidecar, by the metadata address alone
  --cold-start   a new sidecar for each row; Entra ID answers its first exchange with 503
  --install-only installs the packages that the rows need
  --json FILE    writes the results to the file
  --write-docs   writes docs/compatibility.md; needs every toolchain, and no --only, --modes or --broker
`

/** Sandboxes that run at the same time: most clients use one core. Each takes its share of the rows. */
export const SANDBOXES = 2

/** The modes in which a client finds the broker: injection sets no variable in mode node. */
const BROKER_MODES = new Set<ModeName>(IMDS_MODES)

/** Every row, in the order of the tables. */
export const ALL_ROWS: readonly Row[] = CLIENTS.flatMap((client) =>
  modesOf(client).map((mode) => ({ client, mode })),
)

/** Parses the options. Throws for an unknown option or mode. */
export function parseSelection(argv: readonly string[]): Selection {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', multiple: true },
      modes: { type: 'string' },
      broker: { type: 'boolean' },
      'cold-start': { type: 'boolean' },
      json: { type: 'string' },
      'write-docs': { type: 'boolean' },
      'install-only': { type: 'boolean' },
      inside: { type: 'string' },
      shard: { type: 'string' },
    },
  })
  const modes = values.modes === undefined ? undefined : parseModes(values.modes)
  const { only, shard } = values
  const server = values.broker === true ? 'broker' : 'sidecar'
  const selected = ALL_ROWS.filter(
    (row) =>
      (server === 'sidecar' || BROKER_MODES.has(row.mode)) &&
      (modes?.has(row.mode) ?? true) &&
      (only?.some((text) => matchesText(row, text)) ?? true),
  )
  return {
    rows:
      shard === undefined
        ? selected
        : selected.filter((_, index) => index % SANDBOXES === Number(shard)),
    server,
    installsOnly: values['install-only'] ?? false,
    coldStart: values['cold-start'] ?? false,
    writesDocs: values['write-docs'] ?? false,
    ...(values.json !== undefined && { json: values.json }),
    ...(values.inside !== undefined && { installations: values.inside }),
  }
}

const matchesText = (row: Row, text: string): boolean =>
  `${row.client.language} ${formatTitle(row)}`.toLowerCase().includes(text.toLowerCase())

function parseModes(list: string): ReadonlySet<ModeName> {
  const wanted = new Set(list.split(','))
  const found = MODE_NAMES.filter((name) => wanted.has(name) || wanted.has(MODES[name].protocol))
  const known = new Set<string>(found.flatMap((name) => [name, MODES[name].protocol]))
  const unknown = [...wanted].filter((word) => !known.has(word))
  if (unknown.length > 0) throw new Error(`unknown mode: ${unknown.join(', ')}`)
  return new Set(found)
}
