/** Checks the code blocks of the pages: YAML against its schema, shell syntax, and the commands that try wimds, by running them. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { IdentitiesSchema } from '../../src/broker/config/identities-file.ts'
import { BUILT_CLI } from '../fixtures/run-program.ts'
import { freePort } from '../support/free-port.ts'
import { BLOCKS, findCommands, readPage, ROOT } from './pages.ts'
import { createFolder } from '../fixtures/folder.ts'

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

const NAMESPACE = ['--map-root-user', '--net', '--pid', '--fork', '--kill-child']

const IN_NAMESPACE = findCommands('docs/simulator.md', 'namespace')

test.skipIf(spawnSync('unshare', [...NAMESPACE, 'ip', 'link']).status !== 0).each([
  {
    program: 'that knows only 169.254.169.254',
    request: `'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net' -H Metadata:true`,
    commands: IN_NAMESPACE,
  },
  {
    program: 'that reads variables',
    request: `"$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://vault.azure.net" -H "X-IDENTITY-HEADER: $IDENTITY_HEADER"`,
    commands: IN_NAMESPACE.replace('./application', findCommands('docs/simulator.md', 'variables')),
  },
])('a program $program gets a token of the simulator', ({ request, commands }) => {
  using directory = createFolder()
  directory.write('application', `#!/bin/sh\nexec curl -sS ${request}\n`, 0o755)
  directory.write('wimds', `#!/bin/sh\nexec ${process.execPath} ${BUILT_CLI} "$@"\n`, 0o755)
  const { stdout } = spawnSync('bash', ['-e', '-c', commands], {
    cwd: directory.path,
    encoding: 'utf8',
    env: { PATH: [directory.path, process.env['PATH']].join(':') },
  })
  expect(stdout).toContain('"access_token":"eyJ')
})

/** The first commands of the README, without the clone, which is this checkout, and without this test. */
const [, FIRST = 'exit 1'] =
  /\n## Try it\n[^]*?^```sh\n([^]*?)^```$/m.exec(
    readPage('README.md').replaceAll(/^npm test.*$/gm, ''),
  ) ?? []

/** The command of docs/install.md that removes the command line. */
const [UNINSTALL] = /^npm uninstall .+$/m.exec(readPage('docs/install.md')) ?? ['exit 1']

test('the commands with which the pages try wimds install it and return a token, and it can be uninstalled', async () => {
  using directory = createFolder()
  const home = directory.file('home')
  await mkdir(home)
  const port = await freePort()
  const commands = [
    FIRST,
    findCommands('docs/install.md', 'package').replace(/ -- --registry .*$/m, ''),
    findCommands('docs/install.md', 'command-line'),
    findCommands('docs/simulator.md', 'start'),
  ]
    .join('\n')
    .replaceAll(/(?<= )(?:sim\b|simulator\.log|sidecar\.log)/g, `${directory.path}/$&`)
    .replaceAll('127.0.0.1:64169', `127.0.0.1:${port}`)
    .replaceAll('wimds probe', `wimds probe --port ${port}`)
    // Another test may have the port of sim/env.
    .replaceAll('exec wimds serve', 'WIMDS_ADMIN_LISTEN=off exec wimds serve')
  const script = [
    `trap 'jobs=$(jobs -p); [ -z "$jobs" ] || kill $jobs || true' EXIT`,
    commands,
    'command -v wimds',
    UNINSTALL,
    'test ! -e ~/.local/bin/wimds',
  ].join('\n')
  const shell = spawn('bash', ['-ec', script], {
    cwd: ROOT,
    env: {
      PATH: [join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(':'),
      HOME: home,
      // dist/ is built already, and other tests use it now.
      npm_config_ignore_scripts: 'true',
      WIMDS_LISTEN: `127.0.0.1:${port}`,
      WIMDS_EXCHANGE_TIMEOUT: '60s',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  try {
    const [output, errors] = await Promise.all([
      text(shell.stdout),
      text(shell.stderr),
      once(shell, 'exit'),
    ])
    if (shell.exitCode !== 0) throw new Error(errors)
    expect(output.match(/Demo completed/g)).toHaveLength(2)
    expect(output).toMatch(/"access_token":"eyJ/)
    expect(output).toContain(`${home}/.local/bin/wimds\n`)
  } finally {
    if (shell.exitCode === null && shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL')
  }
}, 120_000)
