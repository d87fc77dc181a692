// Prints the CycloneDX document of a packaged chart: the chart itself, and the images that it installs.
//
//   node scripts/chart-sbom.mjs CHART.tgz VERSION IMAGE:TAG@sha256:DIGEST...
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const [archive, version, ...references] = process.argv.slice(2)
const images = references.map(createImage)
const chart = {
  type: 'application',
  'bom-ref': `wimds-chart@${version}`,
  name: 'wimds-chart',
  version,
  licenses: [{ license: { id: 'Apache-2.0' } }],
  hashes: [
    { alg: 'SHA-256', content: createHash('sha256').update(readFileSync(archive)).digest('hex') },
  ],
}
const document = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: { component: chart },
  components: images,
  dependencies: [
    { ref: chart['bom-ref'], dependsOn: images.map((image) => image['bom-ref']) },
    ...images.map((image) => ({ ref: image['bom-ref'] })),
  ],
}
process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`)

/** Describes an image by a package URL of the type oci, with its digest, repository and tag. */
function createImage(reference) {
  const [, name, tag, digest] = /^(.+):([^:@/]+)@sha256:([0-9a-f]{64})$/.exec(reference) ?? []
  if (digest === undefined) throw new Error(`${reference} is not of the form IMAGE:TAG@sha256:…`)
  const last = name.slice(name.lastIndexOf('/') + 1)
  const purl = `pkg:oci/${last}@sha256%3A${digest}?repository_url=${name}&tag=${tag}`
  const hashes = [{ alg: 'SHA-256', content: digest }]
  return { type: 'container', 'bom-ref': purl, name, version: tag, hashes, purl }
}
