// Holds the licence of every package of the lock file against a list: a strict one for what the
// sidecar is made of, a wider one for the tools that are never passed on.
//
//   node scripts/licences.mjs [LOCKFILE]
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import satisfies from 'spdx-satisfies'

/** Ask for nothing but their notice, which dist/THIRD-PARTY-LICENSES.txt gives. */
const RUNTIME = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Unlicense',
]
/** MPL-2.0 asks for changes to its own files; CC-BY-3.0 and CC0-1.0 are of data. */
const DEVELOPMENT = [...RUNTIME, 'CC-BY-3.0', 'CC0-1.0', 'MPL-2.0', 'Zlib']

const [file = 'package-lock.json'] = process.argv.slice(2)
const packages = Object.entries(JSON.parse(readFileSync(resolve(file), 'utf8')).packages)
  // The empty path is the project itself.
  .filter(([path, { link }]) => path !== '' && link !== true)
  .map(([path, { version, license, dev = false }]) => ({ path, version, license, dev }))

const offences = packages.map(offenceOf).filter((offence) => offence !== undefined)
for (const offence of offences) process.stderr.write(`licences: ${offence}\n`)
const tools = packages.filter(({ dev }) => dev).length
process.stdout.write(
  `licences: ${packages.length - tools} packages at run time, ${tools} for development, ` +
    `${offences.length} refused\n`,
)
process.exitCode = offences.length === 0 ? 0 : 1

/** What is wrong with a package's licence, or undefined. */
function offenceOf({ path, version, license, dev }) {
  const [kind, allowed] = dev ? ['development', DEVELOPMENT] : ['run-time', RUNTIME]
  const subject = `${path} ${version} (${kind})`
  if (typeof license !== 'string') return `${subject} names no licence`
  try {
    if (satisfies(license, allowed)) return undefined
  } catch {
    return `${subject} has ${JSON.stringify(license)}, which is no SPDX expression`
  }
  return `${subject} has ${license}; allowed are ${allowed.join(', ')}`
}
