// Formats the CycloneDX document of a bundle: the packages that have code in it.

/**
 * Returns the document as JSON. scripts/bundled-packages.mjs finds the packages. The document has no time and no serial number, so
 * every build of the same sources writes the same bytes.
 */
export function formatSbom(name, version, packages) {
  const bundle = {
    type: 'application',
    'bom-ref': `${name}@${version}`,
    name,
    version,
    licenses: [{ license: { id: 'Apache-2.0' } }],
  }
  // A package may occur twice, in two directories.
  const components = new Map(
    packages.map((each) => {
      const purl = `pkg:npm/${each.name.replace('@', '%40')}@${each.version}`
      const licenses = [{ expression: each.license }]
      return [
        purl,
        {
          type: 'library',
          'bom-ref': purl,
          name: each.name,
          version: each.version,
          licenses,
          purl,
        },
      ]
    }),
  )
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: bundle },
    components: [...components.values()],
    dependencies: [
      { ref: bundle['bom-ref'], dependsOn: [...components.keys()] },
      ...[...components.keys()].map((ref) => ({ ref })),
    ],
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}
