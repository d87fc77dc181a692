// `npm run package`: makes everything that an installation from this checkout needs, in artifacts/: the command line as an npm
// package, and the chart. With --registry it also builds the images. Runs on any Node ≥ 20.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { buildImages, formatImageSteps, parseImageArgs, ROOT, VERSION } from './build-images.mjs'

const USAGE = `usage: npm run package [-- --registry REGISTRY [--push] [--gzip] [--tag TAG] [-- BUILD_OPTION...]]

Makes artifacts/wimds-${VERSION}.tgz, the command line, and artifacts/charts/wimds-${VERSION}.tgz, the chart. With a registry it
builds the images too, with docker, podman or buildah.

  --registry  such as example.azurecr.io, ghcr.io/example
  --push      push the images as well; log in first: docker login, az acr login
  --gzip      compress layers by gzip, as docker does, for registries and nodes without zstd, and podman before 4.6
  --tag       default: the version of this checkout

Options after a second -- are passed to the tool, such as --platform linux/amd64 on a machine of another
architecture, or --build-arg BUILD_IMAGE=… for a mirror of the base image.
`
const CLI = `artifacts/wimds-${VERSION}.tgz`
const CHART = `artifacts/charts/wimds-${VERSION}.tgz`

const WITHOUT_IMAGES = `
Build the images too:

  npm run package -- --registry REGISTRY --push
`

let options
try {
  options = parseImageArgs(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`package: ${error.message}\n\n${USAGE}`)
  process.exit(64)
}
try {
  makePackages()
} catch (error) {
  process.stderr.write(`package: ${error.message}\n`)
  process.exitCode = 1
}

function makePackages() {
  rmSync(`${ROOT}artifacts`, { recursive: true, force: true })
  mkdirSync(`${ROOT}artifacts/charts`, { recursive: true })
  // npm builds first: the script prepack of package.json.
  run('npm', ['pack', '--silent', '--pack-destination', 'artifacts'])
  const packer = packChart()
  const images = options.registry === undefined ? undefined : buildImages(options)
  process.stdout.write(`
  ${CLI}         the command line
  ${CHART}  the chart, packed by ${packer}

Install the command line:

  npm install --global ./${CLI}

  without the right to write there    add --prefix ~/.local, and put ~/.local/bin on the PATH
  with a Node older than 22.19        export PATH=$PWD/node_modules/.bin:$PATH    # the checkout's, on Linux x64
${images === undefined ? WITHOUT_IMAGES : formatImageSteps(options, images, CHART)}`)
}

/** Packs the chart by helm, which also checks it, or by tar. Returns the name of the program. */
function packChart() {
  const { status } = spawnSync('helm', ['version'], { stdio: 'ignore' })
  if (status === 0) {
    run('helm', ['package', 'charts/wimds', '--destination', 'artifacts/charts'])
    return 'helm'
  }
  run('tar', ['-czf', CHART, '-X', 'charts/wimds/.helmignore', '-C', 'charts', 'wimds'])
  return 'tar, since helm was not found; not checked'
}

function run(program, args) {
  const { status, error } = spawnSync(program, args, {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
    // Without this variable, tar of macOS adds its own files.
    env: { ...process.env, COPYFILE_DISABLE: '1' },
  })
  if (error !== undefined) throw new Error(`cannot run ${program}: ${error.message}`)
  if (status !== 0) throw new Error(`${program} ${args[0]} failed (exit code ${status})`)
}
