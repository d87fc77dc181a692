/** Which tool builds the images, with which arguments, and the message if there is none. */
import { spawnSync } from 'node:child_process'
import { readFile, symlink } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createFolder } from '../fixtures/folder.ts'

const { version }: { version: string } = JSON.parse(await readFile('package.json', 'utf8'))

/** Programs that record how they are called. Their first call is the check whether they work. */
const PROGRAMS = {
  working: 'exit 0',
  'without a daemon': 'echo "Cannot connect to the daemon" >&2; exit 1',
  failing: 'case $1 in build) exit 125;; esac',
} as const

type Programs = Readonly<Record<string, keyof typeof PROGRAMS>>

/** Runs the script where these programs are all that is on the PATH. */
async function runImages(programs: Programs, args: readonly string[]) {
  using directory = createFolder()
  const calls = directory.write('calls', '')
  await symlink(process.execPath, directory.file('node'))
  for (const [name, kind] of Object.entries(programs)) {
    const script = `#!/bin/sh\necho "${name} $*" >>"${calls}"\n${PROGRAMS[kind]}\n`
    directory.write(name, script, 0o755)
  }
  const { status, stdout, stderr } = spawnSync('node', ['scripts/images.mjs', ...args], {
    env: { PATH: directory.path },
    encoding: 'utf8',
  })
  const lines = (await readFile(calls, 'utf8')).split('\n')
  const builds = lines.filter((line) => / (?:build|push) /.test(line))
  return { status, stdout, stderr, builds }
}

const HOST = 'example.azurecr.io/platform'
const REGISTRY = ['--registry', HOST]
const TARGETS = {
  sidecar: 'wimds',
  redirect: 'wimds-redirect',
  cluster: 'wimds-cluster',
  gate: 'wimds-gate',
}

test.each([
  ['docker', { docker: 'working', podman: 'working', buildah: 'working' }],
  ['podman', { docker: 'without a daemon', podman: 'working', buildah: 'working' }],
  ['buildah', { buildah: 'working' }],
] satisfies [string, Programs][])('%s builds the images', async (tool, programs) => {
  const { status, stdout, builds } = await runImages(programs, REGISTRY)
  expect(builds).toEqual(
    Object.entries(TARGETS).map(
      ([target, name]) => `${tool} build --target ${target} --tag ${HOST}/${name}:${version} .`,
    ),
  )
  expect(stdout).toContain(`images -- --registry ${HOST} --push`)
  expect(stdout).toContain(`--set global.imageRegistry=${HOST}\n`)
  expect(stdout).toContain(`wimds inject --image-registry ${HOST} deployment.yaml`)
  expect(status).toBe(0)
})

test.each([
  ['podman', '--compression-format zstd --compression-level 19 ', []],
  ['docker', '', []],
  ['buildah', '', ['--gzip']],
])('%s pushes them with the options %j', async (tool, compression, flags) => {
  const args = [...REGISTRY, '--push', ...flags, '--tag=next', '--', '--platform', 'linux/amd64']
  const { stdout, builds } = await runImages({ [tool]: 'working' }, args)
  const first = `${tool} build --platform linux/amd64 --target sidecar --tag ${HOST}/wimds:next .`
  expect(builds[0]).toBe(first)
  expect(builds.slice(4)).toEqual(
    Object.values(TARGETS).map((name) => `${tool} push ${compression}${HOST}/${name}:next`),
  )
  expect(stdout).toContain('--set image.tag=next --set redirectImage.tag=next')
  expect(stdout).toContain(`wimds inject --image ${HOST}/wimds:next --redirect-image ${HOST}/`)
  expect(stdout).not.toContain('Push them')
})

test('names each tool and what it lacks where none can build', async () => {
  const { status, stderr } = await runImages({ docker: 'without a daemon' }, REGISTRY)
  expect(stderr).toContain('docker: Cannot connect to the daemon\n  podman: not found\n')
  expect(stderr).toContain('Fix: ')
  expect(status).toBe(1)
})

test('ends with 1 when the tool fails, and pushes nothing', async () => {
  const { status, stderr, builds } = await runImages({ podman: 'failing' }, [...REGISTRY, '--push'])
  expect(stderr).toContain('podman build failed (exit code 125)')
  expect(builds).toHaveLength(1)
  expect(status).toBe(1)
})

test.each([
  [[], '--registry is missing'],
  [['--registry', 'https://example.azurecr.io'], '"https://example.azurecr.io"'],
] as const)('refuses the arguments %j', async (args, problem) => {
  const { status, stderr, builds } = await runImages({ docker: 'working' }, args)
  expect(stderr).toContain(problem)
  expect(stderr).toContain('usage: ')
  expect(builds).toEqual([])
  expect(status).toBe(64)
})
