// `node image-size.mjs SIDECAR.tar REDIRECT.tar`: prints what a node pulls for a pod with both images, docker archives,
// compressed as the release is, and ends with 1 if that is more than docs/kubernetes.md says.
import { execFileSync } from 'node:child_process'
import { compressLayer } from './compress-image.mjs'

const LIMIT_MB = 40
const MAX_LAYER_BYTES = 1e9

const sizes = new Map()
for (const archive of process.argv.slice(2)) {
  const extract = (path) =>
    execFileSync('tar', ['-xOf', archive, path], { maxBuffer: MAX_LAYER_BYTES })
  const [{ Config, Layers }] = JSON.parse(extract('manifest.json'))
  for (const layer of Layers) {
    // A layer is named by its digest, and both images have it once.
    if (!sizes.has(layer)) sizes.set(layer, compressLayer(extract(layer)).length)
  }
  const bytes = Layers.reduce((sum, layer) => sum + sizes.get(layer), extract(Config).length)
  process.stdout.write(`${archive}: ${formatMb(bytes)}, image id sha256:${Config.split('.')[0]}\n`)
}
const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
process.stdout.write(`all: ${formatMb(total)}, at most ${LIMIT_MB} MB\n`)
process.exitCode = total > LIMIT_MB * 1e6 ? 1 : 0

function formatMb(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
