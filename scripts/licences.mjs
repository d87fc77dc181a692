// Holds the licence of every package of the lock file against a list: a strict one for what the bundles are made
// of, by their SBOMs, and a wider one for the tools that are never passed on.
import satisfies from 'spdx-satisfies'
import { lockedPackages, SBOMS } from './locked-packages.mjs'

/** Ask for nothing but their notice, which dist/THIRD-PARTY-LICENSES.txt gives. */
const BUNDLED = [
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
const DEVELOPMENT = [...BUNDLED, 'CC-BY-3.0', 'CC0-1.0', 'MPL-2.0', 'Zlib']

const packages = lockedPackages('package-lock.json', SBOMS)

const offences = packages.map(findOffence).filter((offence) => offence !== undefined)
for (const offence of offences) process.stderr.write(`licences: ${offence}\n`)
const bundled = packages.filter(({ isBundled }) => isBundled).length
process.stdout.write(
  `licences: ${bundled} bundled packages, ${packages.length - bundled} for development, ` +
    `${offences.length} refused\n`,
)
process.exitCode = offences.length === 0 ? 0 : 1

/** Returns what is wrong with a package's licence, or undefined. */
function findOffence({ path, version, license, isBundled }) {
  const [kind, allowed] = isBundled ? ['bundled', BUNDLED] : ['development', DEVELOPMENT]
  const subject = `${path} ${version} (${kind})`
  if (typeof license !== 'string') return `${subject} names no licence`
  try {
    if (satisfies(license, allowed)) return undefined
  } catch {
    return `${subject} has ${JSON.stringify(license)}, which is no SPDX expression`
  }
  return `${subject} has ${license}; allowed are ${allowed.join(', ')}`
}
