/** The layers of an image archive, compressed again: the same content, and every digest is right. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'

const OCI = 'application/vnd.oci.image'
const STATEMENT = 'application/vnd.in-toto+json'
const TAR = Buffer.from('the files of a layer '.repeat(1000))

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** Writes an archive as docker buildx does: an image with two layers of the same files, and its SBOM. */
function writeArchive(directory: string) {
  const layout = join(directory, 'layout')
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true })
  const add = (mediaType: string, content: Buffer | object): Descriptor => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content))
    const digest = digestOf(bytes)
    writeFileSync(join(layout, 'blobs', digest.replace(':', '/')), bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const config = add(`${OCI}.config.v1+json`, {
    rootfs: { diff_ids: [digestOf(TAR), digestOf(TAR)] },
  })
  const layers = [add(`${OCI}.layer.v1.tar+gzip`, gzipSync(TAR)), add(`${OCI}.layer.v1.tar`, TAR)]
  const image = add(`${OCI}.manifest.v1+json`, { config, layers })
  const subject = [{ name: 'wimds', digest: { sha256: image.digest.slice('sha256:'.length) } }]
  const statement = add(STATEMENT, { subject, predicate: { packages: ['libc6'] } })
  const about = add(`${OCI}.manifest.v1+json`, {
    config: add(`${OCI}.config.v1+json`, { rootfs: { diff_ids: [statement.digest] } }),
    layers: [statement],
  })
  const annotations = { 'vnd.docker.reference.digest': image.digest }
  const both = { manifests: [image, { ...about, annotations }] }
  const index = { manifests: [add(`${OCI}.index.v1+json`, both)] }
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index))
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const archive = join(directory, 'image.tar')
  execFileSync('tar', ['-cf', archive, '-C', layout, '.'])
  return { archive, imageId: config.digest }
}

/** Reads an archive; every blob has to have its digest and its size. */
function openArchive(archive: string, directory: string) {
  mkdirSync(directory)
  execFileSync('tar', ['-xf', archive, '-C', directory])
  const blob = ({ digest, size }: Descriptor) => {
    const bytes = readFileSync(join(directory, 'blobs', digest.replace(':', '/')))
    expect(digestOf(bytes)).toBe(digest)
    expect(bytes.length).toBe(size)
    return bytes
  }
  const json = (descriptor: Descriptor) => JSON.parse(blob(descriptor).toString())
  const [index] = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')).manifests
  const [image, about]: Descriptor[] = json(index).manifests
  if (image === undefined || about === undefined) throw new Error('the index lacks a manifest')
  return { blob, json, image, about }
}

test('compresses layers by zstd; the image id stays, and the SBOM is about the new manifest', async () => {
  using directory = createFolder()
  const { archive, imageId } = writeArchive(directory.path)
  const compress = () => execFileSync(process.execPath, ['scripts/compress-image.mjs', archive])
  const printed = compress().toString()
  expect(printed).toMatch(/^sha256:[0-9a-f]{64} \d+ bytes\n$/)
  // It leaves what it has compressed before as it is.
  expect(compress().toString()).toBe(printed)

  const { blob, json, image, about } = openArchive(archive, directory.file('result'))
  const { config, layers } = json(image)
  expect(config.digest).toBe(imageId)
  expect(layers).toHaveLength(2)
  for (const layer of layers) {
    expect(layer.mediaType).toBe(`${OCI}.layer.v1.tar+zstd`)
    expect(zstdDecompressSync(blob(layer)).equals(TAR)).toBe(true)
  }
  const statement = json(about).layers[0]
  expect(statement.mediaType).toBe(STATEMENT)
  expect(json(statement).subject[0].digest.sha256).toBe(image.digest.slice('sha256:'.length))
  expect(json(json(about).config).rootfs.diff_ids).toEqual([statement.digest])
  expect(about.annotations?.['vnd.docker.reference.digest']).toBe(image.digest)
})
