// Makes a fresh clone ready: installs what the lock file names and builds dist/. Plain JS, and for
// any Node ≥ 18, since it runs before the project has brought its own Node 24.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const installed = resolve(root, 'node_modules/.package-lock.json')

if (!isInstalled()) {
  process.stderr.write('setup: installing the packages of package-lock.json\n')
  npm(['ci', '--ignore-scripts', '--loglevel=error'])
}
npm(['run', '--silent', 'build'])

/** Returns true if node_modules holds the versions of the lock file. */
function isInstalled() {
  if (!existsSync(installed)) return false
  const wanted = readPackages(resolve(root, 'package-lock.json'))
  const found = readPackages(installed)
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '' || optional === true) return true
    return found[path]?.version === version
  })
}

function readPackages(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages
}

function npm(args) {
  const { status, error } = spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (error) process.stderr.write(`setup: cannot run npm: ${error.message}\n`)
  if (status !== 0) process.exit(status ?? 1)
}
