// Checks the report of `npm audit --json` on standard input. Rejects advisories of at least moderate severity for packages in the
// bundle of wimds, and of at least high severity for all others.
//
//   npm audit --json | node scripts/audit.mjs [LOCKFILE SBOM]
import { text } from 'node:stream/consumers'
import { lockedPackages, SBOMS } from './locked-packages.mjs'

const SEVERITIES = ['info', 'low', 'moderate', 'high', 'critical']
const [lockFile = 'package-lock.json', sbom = SBOMS[0]] = process.argv.slice(2)

const report = JSON.parse(await text(process.stdin))
if (report.auditReportVersion !== 2) throw new Error('standard input is no report of npm audit')
const packages = new Map(lockedPackages(lockFile, [sbom]).map((each) => [each.path, each]))
const refused = Object.values(report.vulnerabilities).flatMap(({ severity, nodes, via }) =>
  nodes
    .map((path) => packages.get(path))
    .filter((found) => found !== undefined)
    .filter(({ isBundled }) => rank(severity) >= rank(isBundled ? 'moderate' : 'high'))
    .map(({ path, version, isBundled }) => {
      const reasons = via.map((each) => (typeof each === 'string' ? each : each.url)).join(', ')
      return `${path} ${version} (${isBundled ? 'bundled' : 'development'}): ${severity}, ${reasons}`
    }),
)
for (const line of refused) process.stderr.write(`audit: ${line}\n`)
process.stdout.write(`audit: ${packages.size} packages, ${refused.length} refused\n`)
process.exitCode = refused.length === 0 ? 0 : 1

function rank(severity) {
  return SEVERITIES.indexOf(severity)
}
