/** The SBOM of the chart, which a release attests. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'
import { runNode } from '../fixtures/run-program.ts'

const DIGEST = 'ab'.repeat(32)
const IMAGE = 'ghcr.io/wimds/wimds-redirect'

test('names the chart by its hash, and the images by their repositories and digests', async () => {
  using directory = createFolder()
  const archive = directory.write('wimds-0.2.0.tgz', 'a chart')
  const image = `${IMAGE}:0.2.0@sha256:${DIGEST}`
  const { stdout } = await runNode(['scripts/chart-sbom.mjs', archive, '0.2.0', image])
  const purl = `pkg:oci/wimds-redirect@sha256%3A${DIGEST}?repository_url=${IMAGE}&tag=0.2.0`
  const content = createHash('sha256').update('a chart').digest('hex')
  expect(JSON.parse(stdout)).toMatchObject({
    bomFormat: 'CycloneDX',
    metadata: { component: { version: '0.2.0', hashes: [{ alg: 'SHA-256', content }] } },
    components: [{ type: 'container', name: IMAGE, version: '0.2.0', purl }],
    dependencies: [{ ref: 'wimds-chart@0.2.0', dependsOn: [purl] }, { ref: purl }],
  })
})
