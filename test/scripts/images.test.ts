/** Which tool builds the images, with which arguments, and what is said where none can. */
import { spawnSync } from 'node:child_process'
import { chmod, mkdtempDisposable, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

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
  await using directory = await mkdtempDisposable(join(tmpdir(), 'wimds-images-'))
  const calls = join(directory.path, 'calls')
  await writeFile(calls, '')
  await symlink(process.execPath, join(directory.path, 'node'))
  for (const [name, kind] of Object.entries(programs)) {
    const file = join(directory.path, name)
    await writeFile(file, `#!/bin/sh\necho "${name} $*" >>"${calls}"\n${PROGRAMS[kind]}\n`)
    await chmod(file, 0o755)
  }
  const { status, stdout, stderr } = spawnSync('node', ['scripts/images.mjs', ...args], {
    env: { PATH: directory.path },
    encoding: 'utf8',
  })
  const lines = (await readFile(calls, 'utf8')).split('\n')
  const builds = lines.filter((line) => / (?:build|push) /.test(line))
  return { status, stdout, stderr, builds }
}

const REGISTRY = ['--registry', 'example.azurecr.io/platform']
const IMAGE = `example.azurecr.io/platform/wimds:${version}`
const ZSTD = '--compression-format zstd --compression-level 19'
const REDIRECT = `example.azurecr.io/platform/wimds-redirect:${version}`
const CLUSTER = `example.azurecr.io/platform/wimds-cluster:${version}`
const GATE = `example.azurecr.io/platform/wimds-gate:${version}`

test.each([
  ['docker', { docker: 'working', podman: 'working', buildah: 'working' }],
  ['podman', { docker: 'without a daemon', podman: 'working', buildah: 'working' }],
  ['buildah', { buildah: 'working' }],
] satisfies [string, Programs][])('%s builds the images', async (tool, programs) => {
  const { status, stdout, builds } = await runImages(programs, REGISTRY)
  expect(builds).toEqual([
    `${tool} build --target sidecar --tag ${IMAGE} .`,
    `${tool} build --target redirect --tag ${REDIRECT} .`,
    `${tool} build --target cluster --tag ${CLUSTER} .`,
    `${tool} build --target gate --tag ${GATE} .`,
  ])
  expect(stdout).toContain('images -- --registry example.azurecr.io/platform --push')
  expect(stdout).toContain('--set image.repository=example.azurecr.io/platform/wimds')
  expect(stdout).toContain(`wimds inject --image ${IMAGE}`)
  expect(status).toBe(0)
})

test('pushes them, under another tag and with options for the tool', async () => {
  const { stdout, builds } = await runImages({ podman: 'working' }, [
    ...REGISTRY,
    '--push',
    '--tag=next',
    '--',
    '--platform',
    'linux/amd64',
  ])
  expect(builds).toEqual([
    `podman build --platform linux/amd64 --target sidecar --tag ${IMAGE.replace(version, 'next')} .`,
    `podman build --platform linux/amd64 --target redirect --tag ${REDIRECT.replace(version, 'next')} .`,
    `podman build --platform linux/amd64 --target cluster --tag ${CLUSTER.replace(version, 'next')} .`,
    `podman build --platform linux/amd64 --target gate --tag ${GATE.replace(version, 'next')} .`,
    `podman push ${ZSTD} ${IMAGE.replace(version, 'next')}`,
    `podman push ${ZSTD} ${REDIRECT.replace(version, 'next')}`,
    `podman push ${ZSTD} ${CLUSTER.replace(version, 'next')}`,
    `podman push ${ZSTD} ${GATE.replace(version, 'next')}`,
  ])
  expect(stdout).toContain(
    '--set image.tag=next --set redirectImage.tag=next --set clusterImage.tag=next --set gateImage.tag=next',
  )
  expect(stdout).not.toContain('Push them')
})

test.each([
  ['docker, which has no other', { docker: 'working' }, []],
  ['buildah that is told so', { buildah: 'working' }, ['--gzip']],
] satisfies [string, Programs, string[]][])(
  'compresses by gzip with %s',
  async (_, programs, options) => {
    const { builds } = await runImages(programs, [...REGISTRY, '--push', ...options])
    const [tool] = Object.keys(programs)
    expect(builds.slice(4)).toEqual(
      [IMAGE, REDIRECT, CLUSTER, GATE].map((name) => `${tool} push ${name}`),
    )
  },
)

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
  [['--registry', 'example.azurecr.io', '--pull'], "'--pull'"],
  [['--registry', 'example.azurecr.io', 'extra'], "'extra'"],
] as const)('refuses the arguments %j', async (args, problem) => {
  const { status, stderr, builds } = await runImages({ docker: 'working' }, args)
  expect(stderr).toContain(problem)
  expect(stderr).toContain('usage: ')
  expect(builds).toEqual([])
  expect(status).toBe(64)
})
