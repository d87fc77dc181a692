/** The npm package: packed, installed into an empty prefix without a network, and run from there. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'

const PATH = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())
let packed: { filename: string; files: readonly { path: string }[] }
let prefix: string
let home: string

/** An environment without this machine's configuration of npm: without its cache and `.npmrc`. */
const environment = () => ({ HOME: home, PATH: `${join(prefix, 'bin')}${delimiter}${PATH}` })

beforeAll(async () => {
  const directory = stack.use(createFolder())
  prefix = directory.file('prefix')
  home = directory.file('home')
  await Promise.all([mkdir(prefix), mkdir(home)])
  // Without the script `prepack`: dist/ is built already, and other tests use it now.
  const options = ['--ignore-scripts', '--json', '--pack-destination', directory.path]
  packed = JSON.parse(
    execFileSync('npm', ['pack', ...options], { encoding: 'utf8', env: environment() }),
  )[0]
  execFileSync(
    'npm',
    ['install', '--global', '--offline', '--prefix', prefix, directory.file(packed.filename)],
    { cwd: home, env: environment(), stdio: 'pipe' },
  )
})

test('the package holds the bundle, its licences and the README, and nothing else', async () => {
  const built = await readdir('dist', { recursive: true, withFileTypes: true })
  const inside = built
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    // Compiled code only fits one build of V8 on one architecture.
    .filter((path) => path !== 'dist/serve.cjs.cache' && !path.startsWith('dist/images/'))
  expect(inside).toContain('dist/demo/THIRD-PARTY-LICENSES.txt')
  expect(packed.files.map(({ path }) => path).toSorted()).toEqual(
    ['LICENSE', 'README.md', 'package.json', ...inside].toSorted(),
  )
})

test('the package installs no other package and runs no script', async () => {
  const manifest: Record<string, unknown> = JSON.parse(await readFile('package.json', 'utf8'))
  const keys = ['private', 'dependencies', 'optionalDependencies', 'peerDependencies']
  expect(keys.filter((key) => key in manifest)).toEqual([])
  const scripts = ['preinstall', 'install', 'postinstall', 'prepare']
  expect(scripts.filter((name) => name in Object(manifest['scripts']))).toEqual([])
})

test('the installed command prints its version', () => {
  const options = { cwd: home, env: environment(), encoding: 'utf8' } as const
  const { status, stdout } = spawnSync('wimds', ['--version'], options)
  expect(stdout).toMatch(/^wimds \d+\.\d+\.\d+ /)
  expect(status).toBe(0)
})
