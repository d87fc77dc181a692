/** The SBOM of an image names the packages in its layers. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createFolder, type Folder } from '../fixtures/folder.ts'

const Document = z.object({
  metadata: z.object({ component: z.object({ 'bom-ref': z.string() }) }),
  components: z.array(z.object({ purl: z.string(), cpe: z.string().optional() })),
})

const json = (value: object) => Buffer.from(JSON.stringify(value))

/** Writes an OCI archive of an image with these files, each in a layer. */
function writeArchive(
  folder: Folder,
  architecture: string,
  files: Readonly<Record<string, string>>,
) {
  const root = folder.file(architecture)
  mkdirSync(`${root}/blobs/sha256`, { recursive: true })
  const add = (bytes: Buffer, mediaType = '') => {
    const digest = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(`${root}/blobs/sha256/${digest}`, bytes)
    return { mediaType, digest: `sha256:${digest}` }
  }
  const layers = Object.entries(files).map(([path, text], index) => {
    const layer = `${root}-layer-${index}`
    mkdirSync(`${layer}/${path}`.replace(/\/[^/]+$/, ''), { recursive: true })
    writeFileSync(`${layer}/${path}`, text)
    const tar = execFileSync('tar', ['-cf', '-', '-C', layer, path])
    return add(zstdCompressSync(tar), 'application/vnd.oci.image.layer.v1.tar+zstd')
  })
  const manifest = add(json({ config: add(json({ architecture })), layers }))
  writeFileSync(`${root}/index.json`, json({ manifests: [manifest] }))
  execFileSync('tar', ['-cf', `${root}.tar`, '-C', root, 'blobs', 'index.json'])
  return `${root}.tar`
}

const NPM = 'pkg:npm/jose@6.0.0'
const files = (version: string) => ({
  'var/lib/dpkg/status.d/libc6': `Package: libc6\nVersion: ${version}\nArchitecture: any\n`,
  'etc/debian_version': '12.9\n',
  'nodejs/version': 'v24.11.0\n',
  'app/sbom.cdx.json': JSON.stringify({ components: [{ 'bom-ref': NPM, purl: NPM }] }),
})

test('the SBOM has Node, the Debian packages of each architecture, and the npm packages', () => {
  using folder = createFolder()
  const archives = [
    writeArchive(folder, 'amd64', files('2.36-9+deb12u9')),
    writeArchive(folder, 'arm64', files('2.36-9+deb12u9')),
  ]
  const args = ['scripts/release/image-sbom.mjs', 'ghcr.io/wimds/wimds', '0.2.0', ...archives]
  const { metadata, components } = Document.parse(
    JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })),
  )
  expect(metadata.component['bom-ref']).toBe('ghcr.io/wimds/wimds@0.2.0')
  expect(components.map(({ purl }) => purl)).toEqual([
    'pkg:generic/node@24.11.0',
    'pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64&distro=debian-12',
    NPM,
    'pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=arm64&distro=debian-12',
  ])
  expect(components[0]?.cpe).toBe('cpe:2.3:a:nodejs:node.js:24.11.0:*:*:*:*:*:*:*')
})
