// `npm run images`: builds the images from this checkout. For any Node ≥ 20.
import { buildImages, formatImageSteps, parseImageArgs } from './build-images.mjs'

const USAGE = `usage: npm run images -- --registry REGISTRY [--push] [--gzip] [--tag TAG] [-- BUILD_OPTION...]

Builds REGISTRY/wimds, REGISTRY/wimds-redirect, REGISTRY/wimds-cluster and REGISTRY/wimds-gate with docker, podman or
buildah.

  --registry  such as example.azurecr.io, ghcr.io/example
  --push      push them as well; log in first: docker login, az acr login
  --gzip      compress layers by gzip, as docker does, for registries and nodes without zstd, and podman before 4.6
  --tag       default: the version of this checkout

What follows a second -- is passed to the tool, such as --platform linux/amd64 on a machine of another
architecture, or --build-arg BUILD_IMAGE=… for a mirror of the base image.
`

let options
try {
  options = parseImageArgs(process.argv.slice(2), { isRegistryRequired: true })
} catch (error) {
  process.stderr.write(`images: ${error.message}\n\n${USAGE}`)
  process.exit(64)
}
try {
  process.stdout.write(formatImageSteps(options, buildImages(options), 'charts/wimds'))
} catch (error) {
  process.stderr.write(`images: ${error.message}\n`)
  process.exitCode = 1
}
