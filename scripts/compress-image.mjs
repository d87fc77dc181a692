// `node compress-image.mjs IMAGE.tar...`: compresses the layers of OCI archives by zstd at level 19. docker and buildah
// have an encoder of their own, which leaves a seventh more. What is in the layers stays as it is, and so does the
// image id, which is the digest of the configuration. The statements about an image that docker buildx adds, such as
// its SBOM, name the new digest.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, gunzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

const LAYER = /^application\/vnd\.(?:oci|docker)\.image\..*\btar\b(?:[+.](gzip|zstd))?$/
const ZSTD_LAYER = 'application/vnd.oci.image.layer.v1.tar+zstd'
const LEVEL = 19

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')
const getHex = ({ digest }) => digest.slice('sha256:'.length)

/** Compresses a layer as the release does. The same bytes come out of every machine with this version of Node. */
export const compressLayer = (tar) =>
  zstdCompressSync(tar, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } })

/** Replaces the archive. Returns the number of bytes of each layer, by digest. */
export function compressImage(archive) {
  const directory = mkdtempSync(join(tmpdir(), 'compress-image-'))
  const [from, to] = [join(directory, 'from'), join(directory, 'to')]
  const [blobs, newBlobs] = [join(from, 'blobs/sha256'), join(to, 'blobs/sha256')]
  const layers = new Map()
  // New digests of manifests, configurations and statements. What names them is read after them.
  const renamed = new Map()
  try {
    mkdirSync(from)
    mkdirSync(newBlobs, { recursive: true })
    execFileSync('tar', ['-xf', archive, '-C', from])
    const index = convertChildren(readJson(join(from, 'index.json')))
    writeFileSync(join(to, 'index.json'), JSON.stringify(index))
    writeFileSync(join(to, 'oci-layout'), readFileSync(join(from, 'oci-layout')))
    execFileSync('tar', ['-cf', archive, '-C', to, 'blobs', 'index.json', 'oci-layout'])
    return new Map([...layers.values()].map(({ digest, size }) => [digest, size]))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }

  /** Converts what an index or a manifest names, the configuration last, as it may name the layers. */
  function convertChildren(document) {
    const { manifests, layers: children, config } = document
    return {
      ...document,
      ...(manifests && { manifests: manifests.map(convert) }),
      ...(children && { layers: children.map(convert) }),
      ...(config && { config: convert(config) }),
    }
  }

  /** Writes the blob of a descriptor, converted, and returns its new descriptor. */
  function convert(descriptor) {
    const { digest, mediaType, annotations } = descriptor
    const bytes = readFileSync(join(blobs, getHex(descriptor)))
    const [isLayer, compression] = LAYER.exec(mediaType) ?? []
    if (isLayer !== undefined) {
      if (!layers.has(digest)) {
        const tar = { gzip: gunzipSync, zstd: zstdDecompressSync }[compression]?.(bytes) ?? bytes
        layers.set(digest, write(ZSTD_LAYER, compressLayer(tar)))
      }
      return { ...descriptor, ...layers.get(digest) }
    }
    const changed = write(mediaType, convertDocument(bytes.toString()))
    renamed.set(getHex(descriptor), getHex(changed))
    return {
      ...descriptor,
      ...changed,
      ...(annotations && { annotations: JSON.parse(renameDigests(JSON.stringify(annotations))) }),
    }
  }

  function convertDocument(text) {
    const document = JSON.parse(text)
    const isTree = document.manifests !== undefined || document.layers !== undefined
    return renameDigests(isTree ? JSON.stringify(convertChildren(document)) : text)
  }

  function renameDigests(text) {
    return [...renamed].reduce((all, [old, current]) => all.replaceAll(old, current), text)
  }

  function write(mediaType, content) {
    const bytes = Buffer.from(content)
    const digest = `sha256:${sha256(bytes)}`
    writeFileSync(join(newBlobs, getHex({ digest })), bytes)
    return { mediaType, digest, size: bytes.length }
  }
}

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

if (import.meta.main) {
  for (const archive of process.argv.slice(2)) {
    const layers = compressImage(archive)
    for (const [digest, size] of layers) process.stdout.write(`${digest} ${size} bytes\n`)
  }
}
