/** The SBOMs that the build writes next to its bundles. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

async function componentsOf(file: string): Promise<ReadonlyMap<string, string>> {
  const sbom: {
    bomFormat: string
    components: readonly { name: string; purl: string }[]
    dependencies: readonly { ref: string; dependsOn?: readonly string[] }[]
  } = JSON.parse(await readFile(file, 'utf8'))
  expect(sbom.bomFormat).toBe('CycloneDX')
  expect(sbom.dependencies[0]?.dependsOn).toEqual(sbom.components.map(({ purl }) => purl))
  return new Map(sbom.components.map(({ name, purl }) => [name, purl]))
}

test('the SBOM of the command line lists the bundled packages, and no tools', async () => {
  const components = await componentsOf('dist/sbom.cdx.json')
  const lock: { packages: Record<string, { version: string }> } = JSON.parse(
    await readFile('package-lock.json', 'utf8'),
  )
  const versionOf = (name: string) => lock.packages[`node_modules/${name}`]?.version
  expect(components.get('fastify')).toBe(`pkg:npm/fastify@${versionOf('fastify')}`)
  expect(components.get('@azure/msal-node')).toBe(
    `pkg:npm/%40azure/msal-node@${versionOf('@azure/msal-node')}`,
  )
  expect([...components.keys()]).not.toContain('esbuild')
})
