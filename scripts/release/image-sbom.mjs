// Prints the CycloneDX document of an image for one or more architectures: Node, the Debian packages, and the bundled npm packages.
//
//   node scripts/release/image-sbom.mjs NAME VERSION IMAGE.tar...
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'

const WANTED = [
  'var/lib/dpkg/status.d',
  'etc/debian_version',
  'nodejs/version',
  'app/sbom.cdx.json',
]

const [name, version, ...archives] = process.argv.slice(2)
const components = new Map(
  archives.flatMap(readComponents).map((component) => [component['bom-ref'], component]),
)
const image = { type: 'container', 'bom-ref': `${name}@${version}`, name, version }
const document = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: { component: image },
  components: [...components.values()],
  dependencies: [{ ref: image['bom-ref'], dependsOn: [...components.keys()] }],
}
process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`)

/** Returns the components of an OCI archive of one image. */
function readComponents(archive) {
  const root = mkdtempSync(join(tmpdir(), 'image-sbom-'))
  try {
    const { architecture } = extract(archive, root)
    const read = (path) =>
      existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : ''
    const statuses = existsSync(join(root, WANTED[0])) ? readdirSync(join(root, WANTED[0])) : []
    // The image of the gate has no such file: it has only one program, with musl.
    const [release] = read('etc/debian_version').split('.')
    const distro = release === '' ? '' : `&distro=debian-${release}`
    const node = read('nodejs/version').trim().replace('v', '')
    return [
      ...(node === '' ? [] : [createNode(node)]),
      ...statuses.map((file) => createPackage(read(`${WANTED[0]}/${file}`), architecture, distro)),
      ...JSON.parse(read('app/sbom.cdx.json') || '{"components":[]}').components,
    ]
  } finally {
    rmSync(root, { recursive: true })
  }
}

/** Extracts the WANTED files of the image to `root`, and returns the image's configuration. */
function extract(archive, root) {
  const read = (path) => execFileSync('tar', ['-xOf', archive, path], { maxBuffer: 1e9 })
  const blob = ({ digest }) => read(`blobs/${digest.replace(':', '/')}`)
  const [manifest] = JSON.parse(read('index.json')).manifests
  const { config, layers } = JSON.parse(blob(manifest))
  for (const layer of layers) {
    const decompress = layer.mediaType.endsWith('zstd') ? zstdDecompressSync : gunzipSync
    // tar also extracts the others if a layer lacks one of them, but exits with an error, which is ignored.
    const args = ['-xf', '-', '-C', root, ...WANTED]
    spawnSync('tar', args, { input: decompress(blob(layer)), stdio: ['pipe', 'ignore', 'ignore'] })
  }
  return JSON.parse(blob(config))
}

/** Describes Node by its name in vulnerability databases. */
function createNode(nodeVersion) {
  return {
    ...createComponent('node', nodeVersion, `pkg:generic/node@${nodeVersion}`),
    cpe: `cpe:2.3:a:nodejs:node.js:${nodeVersion}:*:*:*:*:*:*:*`,
  }
}

/** Describes a package by its entry in dpkg's database. */
function createPackage(status, architecture, distro) {
  const field = (key) => new RegExp(`^${key}: (.+)$`, 'm').exec(status)?.[1]
  const at = `${field('Package')}@${encodeURIComponent(field('Version'))}`
  const purl = `pkg:deb/debian/${at}?arch=${architecture}${distro}`
  return createComponent(field('Package'), field('Version'), purl)
}

function createComponent(title, titleVersion, purl) {
  return { type: 'library', 'bom-ref': purl, name: title, version: titleVersion, purl }
}
