/** The tool that builds the images, its arguments, and the message if there is none. */
import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, readFile, symlink } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { VERSION } from '../../src/lib/version.ts'
import { createFolder } from '../fixtures/folder.ts'

/** Programs that record their calls. The first call checks whether they work. */
const WORKING = 'exit 0'
const WITHOUT_DAEMON = 'echo "Cannot connect to the daemon" >&2; exit 1'

type Programs = Readonly<Record<string, string>>

/** Runs `npm run package` with fakes of npm and tar. Only these programs are on the PATH. */
async function build(programs: Programs, ...args: readonly string[]) {
  using directory = createFolder()
  const calls = directory.write('calls', '')
  await symlink(process.execPath, directory.file('node'))
  await mkdir(directory.file('checkout/scripts'), { recursive: true })
  const copied = ['package.json', 'scripts/package.mjs', 'scripts/build-images.mjs']
  await Promise.all(copied.map((file) => copyFile(file, directory.file(`checkout/${file}`))))
  for (const [name, does] of Object.entries({ npm: WORKING, tar: WORKING, ...programs })) {
    directory.write(name, `#!/bin/sh\necho "${name} $*" >>"${calls}"\n${does}\n`, 0o755)
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
  const programs = { docker: WITHOUT_DAEMON, podman: WORKING, buildah: WORKING }
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
  const { stdout, builds } = await build({ [tool]: WORKING }, REGISTRY, ...args)
  const first = `${tool} build --platform linux/amd64 --target sidecar --tag ${HOST}/wimds:next .`
  expect(builds[0]).toBe(first)
  expect(builds.slice(4)).toEqual(
    Object.values(TARGETS).map((name) => `${tool} push ${compression}${HOST}/${name}:next`),
  )
  expect(stdout).toContain('--set image.tag=next --set redirectImage.tag=next')
})

test('if no tool can build, names each tool and its problem', async () => {
  const { status, stderr } = await build({ docker: WITHOUT_DAEMON }, REGISTRY)
  expect(stderr).toContain('docker: Cannot connect to the daemon\n  podman: not found\n')
  expect(status).toBe(1)
})
