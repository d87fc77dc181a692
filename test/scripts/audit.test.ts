/** Some advisories fail the build, and others do not. */
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

const ADVISORY = 'https://github.com/advisories/GHSA-0000-0000-0000'

/** Runs the script for one advisory. `fastify` is bundled, and `vitest` is a tool. */
async function judged(name: string, severity: string) {
  using directory = createFolder()
  const packages = {
    'node_modules/fastify': { version: '5.0.0' },
    'node_modules/vitest': { version: '5.0.0' },
  }
  const components = [{ name: 'fastify', version: '5.0.0' }]
  const lockFile = directory.write('package-lock.json', { packages })
  const sbom = directory.write('sbom.cdx.json', { components })
  const vulnerability = { severity, nodes: [`node_modules/${name}`], via: [{ url: ADVISORY }] }
  const report = { auditReportVersion: 2, vulnerabilities: { [name]: vulnerability } }
  return await audit(report, [lockFile, sbom])
}

const audit = (report: object, args: readonly string[] = []) =>
  runNode(['scripts/audit.mjs', ...args], {}, JSON.stringify(report))

test.each([
  ['fastify', 'moderate', 1, 'bundled'],
  ['vitest', 'high', 1, 'development'],
  ['fastify', 'low', 0, ''],
  ['vitest', 'moderate', 0, ''],
])('an advisory of %s that is %s ends with %i', async (name, severity, code, kind) => {
  const refused = `audit: node_modules/${name} 5.0.0 (${kind}): ${severity}, ${ADVISORY}\n`
  expect(await judged(name, severity)).toEqual({
    code,
    stdout: `audit: 2 packages, ${code} refused\n`,
    stderr: code === 0 ? '' : refused,
  })
})

test('a reply without advisories fails the build', async () => {
  expect(await audit({ message: 'the registry has no advisories' })).toMatchObject({ code: 1 })
})
