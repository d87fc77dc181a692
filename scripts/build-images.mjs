// Builds the images for the user's registry with the first tool that works here, and formats the next steps.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
export const { version: VERSION } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'))

/** The tools. `check` fails if the program is installed but cannot build images, such as docker without its daemon. */
const TOOLS = [
  { name: 'docker', check: ['version', '--format', '{{.Server.Version}}'] },
  { name: 'podman', check: ['info'] },
  { name: 'buildah', check: ['info'] },
]

/** Options of podman and buildah. `docker push` compresses by gzip, and has no option to change that. */
const ZSTD = ['--compression-format', 'zstd', '--compression-level', '19']

/** Parses `[--registry REG] [--push] [--gzip] [--tag TAG] [-- OPTION...]`. Throws an error if the arguments are invalid. */
export function parseImageArgs(args) {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  const { values } = parseArgs({
    args: args.slice(0, end),
    options: {
      registry: { type: 'string' },
      tag: { type: 'string', default: VERSION },
      push: { type: 'boolean', default: false },
      gzip: { type: 'boolean', default: false },
    },
  })
  const { registry, push } = values
  if (registry === undefined && (push || values.tag !== VERSION))
    throw new Error('--registry is missing')
  if (
    registry !== undefined &&
    !/^[a-z0-9][a-z0-9.-]*(?::\d+)?(?:\/[a-z0-9._-]+)*$/.test(registry)
  ) {
    throw new Error(
      `--registry ${JSON.stringify(registry)} is not of the form HOST[:PORT][/PATH], such as example.azurecr.io`,
    )
  }
  return { ...values, buildOptions: args.slice(end + 1) }
}

/**
 * Builds the images, and pushes them if `push` is true. Returns their names without tags. Throws an error with a fix if there is no
 * tool, or if the tool fails.
 */
export function buildImages({ registry, tag, push, gzip, buildOptions }) {
  const tool = findTool()
  const images = {
    sidecar: `${registry}/wimds`,
    redirect: `${registry}/wimds-redirect`,
    cluster: `${registry}/wimds-cluster`,
    gate: `${registry}/wimds-gate`,
  }
  for (const [target, name] of Object.entries(images)) {
    run(tool, ['build', ...buildOptions, '--target', target, '--tag', `${name}:${tag}`, '.'])
  }
  if (push) {
    const compression = gzip || tool === 'docker' ? [] : ZSTD
    for (const name of Object.values(images)) run(tool, ['push', ...compression, `${name}:${tag}`])
  }
  process.stdout.write(
    `\nimages: ${push ? 'built and pushed' : 'built'} with ${tool}:\n` +
      `  ${images.sidecar}:${tag}  the sidecar\n` +
      `  ${images.redirect}:${tag}  the init container of the modes loopback and nft\n` +
      `  ${images.cluster}:${tag}  the webhook and the node agent\n` +
      `  ${images.gate}:${tag}  the init container of mode node\n`,
  )
  return images
}

/** Formats the commands that use these images and the chart. */
export function formatImageSteps({ registry, tag, push }, images, chart) {
  const pushing = push
    ? ''
    : `
Push them:

  npm run package -- --registry ${registry} --push${tag === VERSION ? '' : ` --tag ${tag}`}
`
  const tagValue =
    tag === VERSION
      ? ''
      : ` \\
    --set image.tag=${tag} --set redirectImage.tag=${tag} --set clusterImage.tag=${tag} --set gateImage.tag=${tag}`
  const flags =
    tag === VERSION
      ? `--image-registry ${registry}`
      : `--image ${images.sidecar}:${tag} --redirect-image ${images.redirect}:${tag} --gate-image ${images.gate}:${tag}`
  return `${pushing}
Install the webhook:

  helm install wimds ${chart} --namespace wimds --create-namespace \\
    --set global.imageRegistry=${registry}${tagValue}

Or inject by hand:

  wimds inject ${flags} deployment.yaml | kubectl apply -f -
`
}

function findTool() {
  const obstacles = []
  for (const { name, check } of TOOLS) {
    const { status, error, stderr } = spawnSync(name, check, { encoding: 'utf8' })
    if (status === 0) return name
    const reason = error === undefined ? stderr.trim().split('\n').at(-1) : 'not found'
    obstacles.push(`  ${name}: ${reason}`)
  }
  throw new Error(
    'no tool here can build images. Fix: install docker, podman or buildah, or start its daemon or machine\n' +
      obstacles.join('\n'),
  )
}

function run(tool, args) {
  process.stdout.write(`\n${tool} ${args.join(' ')}\n`)
  const { status } = spawnSync(tool, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status === 0) return
  throw new Error(
    `${tool} ${args[0]} failed (exit code ${status}). Fix: see its output; if docker.io cannot be reached, append -- --build-arg BUILD_IMAGE=MIRROR/node:24-bookworm-slim`,
  )
}
