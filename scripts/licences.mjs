// Checks the licence of every package of the lock file against a list. The list is strict for packages in the bundles, by their
// SBOMs, and wider for tools, which are not distributed.
import satisfies from 'spdx-satisfies'
import { lockedPackages, SBOMS } from './locked-packages.mjs'

/** These licences require only their notice, which is in dist/THIRD-PARTY-LICENSES.txt. */
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
/** MPL-2.0 concerns only changes to files under it. CC-BY-3.0 and CC0-1.0 are licences of data. */
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

/** Returns the problem of a package's licence; undefined if the licence is allowed. */
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
