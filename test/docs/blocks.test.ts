/** Checks the code blocks of the pages: YAML against its schema, shell syntax, and the README's commands by running them. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { IdentitiesSchema } from '../../src/config/identities-file.ts'
import { freePort } from '../support/free-port.ts'
import { BLOCKS, ROOT } from './pages.ts'

const DOCUMENTS = BLOCKS.filter(({ language }) => language === 'yaml').flatMap(
  ({ place, text: yaml }) =>
    parseAllDocuments(yaml).map((document) => ({
      place,
      document,
      value: document.toJS() as unknown,
    })),
)
const IDENTITIES_FILES = DOCUMENTS.filter(
  ({ value }) => typeof value === 'object' && value !== null && 'identities' in value,
)

test('every block names a language that readers and highlighters know', () => {
  const known = new Set([
    '',
    'console',
    'json',
    'kusto',
    'mermaid',
    'promql',
    'sh',
    'text',
    'toml',
    'yaml',
  ])
  expect(BLOCKS.filter(({ language }) => !known.has(language)).map(({ place }) => place)).toEqual(
    [],
  )
})

test.each(DOCUMENTS)('$place is valid YAML', ({ document }) => {
  expect(document.errors).toEqual([])
})

test.each(IDENTITIES_FILES)('$place matches the schema of identities files', ({ value }) => {
  expect(IdentitiesSchema.safeParse(value).error).toBeUndefined()
})

test.each(BLOCKS.filter(({ language }) => language === 'sh'))(
  '$place is valid for bash',
  ({ text: commands }) => {
    expect(spawnSync('bash', ['-n'], { input: commands, encoding: 'utf8' }).stderr).toBe('')
  },
)

test('the commands with which the README tries wimds on this machine return a token', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-readme-'))
  const block = BLOCKS.find(({ place, text: commands }) => {
    return place.startsWith('README.md:') && commands.includes('simulate')
  })
  const port = await freePort()
  const commands = (block?.text ?? 'exit 1')
    // What the test runs with is built already.
    .replace(/^npm run setup.*$/m, '')
    .replaceAll('--dir sim', `--dir ${directory.path}`)
    .replaceAll('. sim/env', `. ${directory.path}/env`)
    // What a person waits for by eye is waited for here.
    .replaceAll('127.0.0.1:8000', `127.0.0.1:${port}`)
    .replaceAll(
      /sleep \d+; set -a/g,
      `until [ -s ${directory.path}/env ]; do sleep 0.1; done; set -a`,
    )
    .replaceAll(
      /sleep \d+; curl/g,
      'curl --retry 100 --retry-connrefused --retry-delay 1 --max-time 60 -s',
    )
  const shell = spawn('bash', ['-ec', `trap 'kill $(jobs -p)' EXIT\n${commands}`], {
    cwd: ROOT,
    env: {
      PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}`,
      WIMDS_LISTEN: `127.0.0.1:${port}`,
      WIMDS_ADMIN_LISTEN: 'off',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  try {
    const [output] = await Promise.all([text(shell.stdout), once(shell, 'exit')])
    expect(output).toMatch(/"access_token":"eyJ/)
  } finally {
    if (shell.exitCode === null && shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL')
  }
})
