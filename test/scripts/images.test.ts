/** Which tool builds the images, with which arguments, and what it says if there is none. */
import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, readFile, symlink } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { VERSION } from '../../src/lib/version.ts'
import { createFolder } from '../fixtures/folder.ts'

/** Programs that record how they are called. Their first call is the check whether they work. */
const PROGRAMS = {
  working: 'exit 0',
  'without a daemon': 'echo "Cannot connect to the daemon" >&2; exit 1',
  failing: 'case $1 in build) exit 125;; esac',
} as const

type Programs = Readonly<Record<string, keyof typeof PROGRAMS>>

/** Runs `npm run package`, without what npm and tar do, where these programs are all that is on the PATH. */
async function build(programs: Programs, ...args: readonly string[]) {
  using directory = createFolder()
  const calls = directory.write('calls', '')
  await symlink(process.execPath, directory.file('node'))
  await mkdir(directory.file('checkout/scripts'), { recursive: true })
  const copied = ['package.json', 'scripts/package.mjs', 'scripts/build-images.mjs']
  await Promise.all(copied.map((file) => copyFile(file, directory.file(`checkout/${file}`))))
  const all: Programs = { npm: 'working', tar: 'working', ...programs }
  for (const [name, kind] of Object.entries(all)) {
    const script = `#!/bin/sh\necho "${name} $*" >>"${calls}"\n${PROGRAMS[kind]}\n`
    directory.write(name, script, 0o755)
  }
  const script = directory.file('checkout/scripts/package.mjs')
  const { status, stdout, stderr } = spawnSync('node', [script, ...args], {
    env: { PATH: directory.path },
    encoding: 'utf8',
  })
  const lines = (await readFile(calls, 'utf8')).split('\n')
  const builds = lines.filter((line) => / (?:build|push) /.test(line))
  return { status, stdout, stderr, builds }
}

const HOST = 'example.azurecr.io/platform'
const REGISTRY = `--registry=${HOST}`
const TARGETS = {
  sidecar: 'wimds',
  redirect: 'wimds-redirect',
  cluster: 'wimds-cluster',
  gate: 'wimds-gate',
}

test('the first tool that works builds the images', async () => {
  const programs = { docker: 'without a daemon', podman: 'working', buildah: 'working' } as const
  const { status, stdout, builds } = await build(programs, REGISTRY)
  expect(builds).toEqual(
    Object.entries(TARGETS).map(
      ([target, name]) => `podman build --target ${target} --tag ${HOST}/${name}:${VERSION} .`,
    ),
  )
  expect(stdout).toContain(`--set global.imageRegistry=${HOST}\n`)
  expect(status).toBe(0)
})

test.each([
  ['podman', '--compression-format zstd --compression-level 19 ', []],
  ['docker', '', []],
  ['buildah', '', ['--gzip']],
])('%s pushes them with the options %j', async (tool, compression, flags) => {
  const args = ['--push', ...flags, '--tag=next', '--', '--platform', 'linux/amd64']
  const { stdout, builds } = await build({ [tool]: 'working' }, REGISTRY, ...args)
  const first = `${tool} build --platform linux/amd64 --target sidecar --tag ${HOST}/wimds:next .`
  expect(builds[0]).toBe(first)
  expect(builds.slice(4)).toEqual(
    Object.values(TARGETS).map((name) => `${tool} push ${compression}${HOST}/${name}:next`),
  )
  expect(stdout).toContain('--set image.tag=next --set redirectImage.tag=next')
})

test('names each tool and what it lacks where none can build', async () => {
  const { status, stderr } = await build({ docker: 'without a daemon' }, REGISTRY)
  expect(stderr).toContain('docker: Cannot connect to the daemon\n  podman: not found\n')
  expect(status).toBe(1)
})

test('ends with 1 when the tool fails, and pushes nothing', async () => {
  const { status, builds } = await build({ podman: 'failing' }, REGISTRY, '--push')
  expect(builds).toHaveLength(1)
  expect(status).toBe(1)
})

test.each(['--push', '--registry=https://example.azurecr.io'])('refuses only %s', async (flag) => {
  const { status, builds } = await build({ docker: 'working' }, flag)
  expect(builds).toEqual([])
  expect(status).toBe(64)
})
