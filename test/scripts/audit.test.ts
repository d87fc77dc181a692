/** Which advisories fail the build. */
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

const ADVISORY = 'https://github.com/advisories/GHSA-0000-0000-0000'

/** What the script says of one advisory, where `fastify` is bundled and `vitest` is a tool. */
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
  ['fastify', 'moderate', 'bundled'],
  ['fastify', 'critical', 'bundled'],
  ['vitest', 'high', 'development'],
])('an advisory of %s that is %s fails the build', async (name, severity, kind) => {
  const { code, stdout, stderr } = await judged(name, severity)
  expect(stderr).toBe(`audit: node_modules/${name} 5.0.0 (${kind}): ${severity}, ${ADVISORY}\n`)
  expect(stdout).toBe('audit: 2 packages, 1 refused\n')
  expect(code).toBe(1)
})

test.each([
  ['fastify', 'low'],
  ['vitest', 'moderate'],
])('an advisory of %s that is %s does not', async (name, severity) => {
  expect(await judged(name, severity)).toEqual({
    code: 0,
    stdout: 'audit: 2 packages, 0 refused\n',
    stderr: '',
  })
})

test('a reply without advisories fails the build', async () => {
  const { code, stderr } = await audit({ message: 'the registry has no advisories' })
  expect(stderr).toContain('no report of npm audit')
  expect(code).toBe(1)
})
