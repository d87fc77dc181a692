/**
 * Runs Python and Go clients, which use 169.254.169.254:80, in a network namespace. They are skipped
 * where no namespace can be created or a toolchain is missing.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { runProcess } from './harness/run-process.ts'
import { formatTitle } from './matrix/client.ts'
import { RowResult } from './matrix/result.ts'
import { parseSelection } from './matrix/selection.ts'

const MATRIX = fileURLToPath(new URL('matrix/run.ts', import.meta.url))
/** The first run installs packages and compiles. */
const TIMEOUT_MS = 10 * 60_000

const only = ['Python azure-identity', 'Python msrestazure', 'Go azidentity', 'Go go-autorest']
const options = [...only.flatMap((name) => ['--only', name]), '--modes', 'system,client-id']

let results: ReadonlyMap<string, RowResult>

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'wimds-netns-'))
  try {
    const file = join(directory, 'results.json')
    const { stderr } = await runProcess([process.execPath, MATRIX, ...options, '--json', file], {
      env: inherited(),
      timeoutMs: TIMEOUT_MS,
    })
    const text = await readFile(file, 'utf8').catch(() => expect.fail(`no results:\n${stderr}`))
    const list = RowResult.array().parse(JSON.parse(text))
    results = new Map(list.map((result) => [`${result.language} ${result.title}`, result]))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}, TIMEOUT_MS)

const names = parseSelection(options).rows.map(
  (row) => `${row.client.language} ${formatTitle(row)}`,
)

test.for(names)('%s gets the right token', (name, { skip }) => {
  const result = results.get(name)
  if (result?.status === 'skipped') skip(result.reason)
  expect(result).toMatchObject({ status: 'passed' })
})

function inherited(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  )
}
