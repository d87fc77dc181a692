// `node scripts/verify-release.mjs`: builds the images and the npm package of this checkout, which is a release's tag,
// and compares them with what was published. docs/verify-a-release.md says what that proves.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { arch, tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT, VERSION } from './build-images.mjs'

const TARGETS = {
  sidecar: 'ghcr.io/wimds/wimds',
  redirect: 'ghcr.io/wimds/wimds-redirect',
  cluster: 'ghcr.io/wimds/wimds-cluster',
  gate: 'ghcr.io/wimds/wimds-gate',
}
const ARCHITECTURE = { x64: 'amd64' }[arch()] ?? arch()
const BASE = 'org.opencontainers.image.base'

const directory = mkdtempSync(join(tmpdir(), 'verify-release-'))
let failed = 0
try {
  checkCheckout()
  for (const [target, repository] of Object.entries(TARGETS)) verifyImage(target, repository)
  verifyPackage()
} catch (error) {
  process.stderr.write(`verify-release: ${error.message}\n`)
  failed += 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
process.exitCode = failed > 0 ? 1 : 0

/** Throws unless HEAD is the tag of this version and nothing is changed. */
function checkCheckout() {
  const tags = read('git', ['tag', '--points-at', 'HEAD']).split('\n')
  if (!tags.includes(`v${VERSION}`)) {
    throw new Error(`this is not the release ${VERSION}. Fix: git checkout v${VERSION}`)
  }
  const changes = read('git', ['status', '--porcelain'])
  if (changes !== '') throw new Error(`the checkout is changed. Fix: git stash\n${changes}`)
}

/**
 * Compares image ids: the digest of the configuration, which names the digests of the uncompressed layers. So it does
 * not depend on how the layers were compressed.
 */
function verifyImage(target, repository) {
  const name = `${repository}:${VERSION}`
  const { manifests } = inspect(name)
  const isOwn = ({ platform }) => platform?.os === 'linux' && platform.architecture === ARCHITECTURE
  const own = manifests.find(isOwn)
  if (own === undefined) throw new Error(`${name} is not published for linux/${ARCHITECTURE}`)
  const { config, annotations } = inspect(`${repository}@${own.digest}`)
  const [base, baseDigest] = [annotations?.[`${BASE}.name`], annotations?.[`${BASE}.digest`]]
  process.stdout.write(
    `${name} linux/${ARCHITECTURE} ${own.digest}\n  from ${base}@${baseDigest}\n`,
  )

  const archive = join(directory, `${target}.tar`)
  run('sh', ['scripts/release-image.sh', target, archive], { BUILD_IMAGE: `${base}@${baseDigest}` })
  report(`image id of ${target}`, config.digest, findImageId(archive))
}

/** Compares the files of the npm package: their compression depends on the version of npm. */
function verifyPackage() {
  for (const from of ['published', 'built']) {
    const to = join(directory, from)
    mkdirSync(to)
    const source = from === 'published' ? `wimds@${VERSION}` : '.'
    const [{ filename }] = JSON.parse(
      read('npm', ['pack', source, '--json', '--pack-destination', to]),
    )
    read('tar', ['-xzf', join(to, filename), '-C', to])
    rmSync(join(to, filename))
  }
  let differences = ''
  try {
    read('diff', ['-r', join(directory, 'published'), join(directory, 'built')])
  } catch (error) {
    differences = error.stdout ?? error.message
  }
  report('files of the npm package', '', differences)
}

function findImageId(archive) {
  const extract = (path) => JSON.parse(read('tar', ['-xOf', archive, path]))
  const blob = ({ digest }) => extract(`blobs/${digest.replace(':', '/')}`)
  const [first] = extract('index.json').manifests
  const document = blob(first)
  return (document.config ?? blob(document.manifests[0]).config).digest
}

function inspect(name) {
  return JSON.parse(read('docker', ['buildx', 'imagetools', 'inspect', '--raw', name]))
}

function report(what, published, built) {
  if (published === built) {
    process.stdout.write(`  ok: the ${what} ${published || 'are the same'}\n`)
    return
  }
  failed += 1
  process.stdout.write(
    `  NOT THE SAME: ${what}\n    published: ${published}\n    built:     ${built}\n`,
  )
}

function read(program, args) {
  return execFileSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim()
}

function run(program, args, env) {
  execFileSync(program, args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  })
}
