/** The comparison of a release with its source, where docker, git and npm are scripts that answer as they would. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { arch } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'

const { version }: { version: string } = JSON.parse(await readFile('package.json', 'utf8'))
const ARCHITECTURE = arch() === 'x64' ? 'amd64' : arch()
const BASE = 'org.opencontainers.image.base'
const ID = `sha256:${'1'.repeat(64)}`
const OTHER_ID = `sha256:${'2'.repeat(64)}`

interface World {
  /** The image id that the build gives. */
  readonly built: string
  /** A line of the built npm package; `published` is the one of the registry. */
  readonly line: string
  readonly tag: string
  readonly changes: string
}

const SAME: World = { built: ID, line: 'published', tag: `v${version}`, changes: '' }

/** Runs the script where the registry has the image id ID, and the builds give what `world` says. */
async function verify(world: World) {
  using directory = createFolder()
  const { file: path, write } = directory
  const program = (name: string, script: string) => write(name, `#!/bin/sh\n${script}\n`, 0o755)
  for (const name of ['sh', 'tar', 'gzip', 'diff', 'date', 'cat', 'cp', 'mkdir', 'basename']) {
    const { stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' })
    symlinkSync(stdout.trim(), path(name))
  }
  symlinkSync(process.execPath, path('node'))

  const manifest = {
    config: { digest: ID },
    annotations: { [`${BASE}.name`]: 'node', [`${BASE}.digest`]: 'sha256:base' },
  }
  const platform = { os: 'linux', architecture: ARCHITECTURE }
  write('index.json', { manifests: [{ digest: 'sha256:own', platform }] })
  write('manifest.json', manifest)
  writeArchive(path('built'), world.built)
  for (const [name, line] of Object.entries({ published: 'published', local: world.line })) {
    write(`npm-${name}/package/wimds.js`, line)
  }
  program(
    'git',
    `case $1 in tag) echo '${world.tag}';; status) printf '${world.changes}';; *) echo 1;; esac`,
  )
  program(
    'docker',
    `case "$*" in
      *--raw*@sha256:own) cat ${path('manifest.json')};;
      *--raw*) cat ${path('index.json')};;
      'buildx build'*BUILD_IMAGE*) echo "$BUILD_IMAGE $*" >&2
        for option; do case $option in type=oci*) to=\${option#*dest=}; cp ${path('built.tar')} "\${to%%,*}";; esac; done;;
    esac`,
  )
  program(
    'npm',
    `case $2 in .) from=local;; *) from=published;; esac
    tar -czf "$5/package.tgz" -C ${path('npm-')}$from package
    echo '[{"filename":"package.tgz"}]'`,
  )
  return spawnSync('node', ['scripts/verify-release.mjs'], {
    env: { PATH: directory.path },
    encoding: 'utf8',
  })
}

/** Writes an OCI archive. Only its image id matters. */
function writeArchive(directory: string, imageId: string): void {
  const bytes = JSON.stringify({ config: { digest: imageId } })
  const digest = createHash('sha256').update(bytes).digest('hex')
  mkdirSync(join(directory, 'blobs/sha256'), { recursive: true })
  writeFileSync(join(directory, 'blobs/sha256', digest), bytes)
  const index = { manifests: [{ digest: `sha256:${digest}` }] }
  writeFileSync(join(directory, 'index.json'), JSON.stringify(index))
  spawnSync('tar', ['-cf', `${directory}.tar`, '-C', directory, 'blobs', 'index.json'])
}

test('builds the images from the base image that the published one names, and finds all the same', async () => {
  const { status, stdout, stderr } = await verify(SAME)
  expect(stdout.match(/ok: .*/g)).toEqual([
    `ok: the image id of sidecar ${ID}`,
    `ok: the image id of redirect ${ID}`,
    `ok: the image id of cluster ${ID}`,
    `ok: the image id of gate ${ID}`,
    'ok: the files of the npm package are the same',
  ])
  expect(stderr).toContain('node@sha256:base buildx build . ')
  expect(stderr).toContain('--target redirect')
  expect(status).toBe(0)
})

test.each([
  ['another image', { built: OTHER_ID }, `built:     ${OTHER_ID}`],
  ['another file in the npm package', { line: 'changed' }, '> changed'],
] as const)('finds %s', async (_, change, expected) => {
  const { status, stdout } = await verify({ ...SAME, ...change })
  expect(stdout).toContain('NOT THE SAME')
  expect(stdout).toContain(expected)
  expect(status).toBe(1)
})

test.each([
  ['a commit without the tag', { tag: 'v0.0.1' }, `Fix: git checkout v${version}`],
  ['a changed checkout', { changes: ' M src/cli.ts' }, 'M src/cli.ts'],
] as const)('refuses %s', async (_, change, expected) => {
  const { status, stdout, stderr } = await verify({ ...SAME, ...change })
  expect(stderr).toContain(expected)
  expect(stdout).toBe('')
  expect(status).toBe(1)
})
