/** What the command line asks for: which rows to run, and where to put the result. */
import { parseArgs } from 'node:util'
import { MODE_NAMES, MODES, type ModeName } from '../harness/modes.ts'
import { titleOf, type Row } from './client.ts'
import { CLIENTS } from './clients.ts'

export interface Selection {
  readonly rows: readonly Row[]
  /** Where to write the results as JSON. */
  readonly json?: string
  /** True: docs/compatibility.md is written anew. */
  readonly writesDocs: boolean
  /** Set inside the sandbox: the file that says what is installed where. */
  readonly installations?: string
}

export const USAGE = `usage: npm run test:clients -- [--only TEXT]... [--modes LIST] [--json FILE] [--write-docs]
  --only TEXT    rows whose title has the text, as in "Python", "1.5.0" or "azidentity"
  --modes LIST   modes or dialects, separated by commas: ${MODE_NAMES.join(', ')},
                 or imds, app-service, cloud-shell
  --json FILE    writes the results to the file
  --write-docs   writes docs/compatibility.md (with all rows, where every toolchain is present)
`

/** Every row, in the order of the tables. */
export const ALL_ROWS: readonly Row[] = CLIENTS.flatMap((client) =>
  client.modes.map((mode) => ({ client, mode })),
)

/** Throws for an option or a mode that does not exist. */
export function parseSelection(argv: readonly string[]): Selection {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', multiple: true },
      modes: { type: 'string' },
      json: { type: 'string' },
      'write-docs': { type: 'boolean' },
      inside: { type: 'string' },
    },
  })
  const modes = values.modes === undefined ? undefined : modesOf(values.modes)
  const { only } = values
  return {
    rows: ALL_ROWS.filter(
      (row) => (modes?.has(row.mode) ?? true) && (only?.some((text) => isNamed(row, text)) ?? true),
    ),
    writesDocs: values['write-docs'] ?? false,
    ...(values.json !== undefined && { json: values.json }),
    ...(values.inside !== undefined && { installations: values.inside }),
  }
}

const isNamed = (row: Row, text: string): boolean =>
  `${row.client.language} ${titleOf(row)}`.toLowerCase().includes(text.toLowerCase())

function modesOf(list: string): ReadonlySet<ModeName> {
  const wanted = new Set(list.split(','))
  const found = MODE_NAMES.filter((name) => wanted.has(name) || wanted.has(MODES[name].dialect))
  const known = new Set<string>(found.flatMap((name) => [name, MODES[name].dialect]))
  const unknown = [...wanted].filter((word) => !known.has(word))
  if (unknown.length > 0) throw new Error(`no such mode: ${unknown.join(', ')}`)
  return new Set(found)
}
