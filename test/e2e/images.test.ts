/** The contents of the images. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IMAGES } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { type TestNamespace, testNamespace } from './support/namespace.ts'

let namespace: TestNamespace
const resources = new AsyncDisposableStack()
afterAll(() => resources.disposeAsync())
beforeAll(async () => {
  // This level admits only pods that are read-only, unprivileged and without capabilities.
  namespace = resources.use(await testNamespace('wimds-e2e-images', 'restricted'))
})

/** Returns a hardened pod that runs the command once. */
function once(name: string, image: string, command: readonly string[]) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'app',
          image,
          command,
          securityContext: {
            runAsUser: 1501,
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    },
  }
}

const endOf = (name: string) =>
  eventually(`${name} has ended`, async () => {
    const path = '{.status.containerStatuses[0].state.terminated}'
    const ended = await namespace.field(`pod ${name}`, path)
    return ended === '' ? undefined : ended
  })

test.concurrent.each(['nft', 'ip', 'nsenter'])('the image sidecar has no %s', async (program) => {
  await namespace.create(once(`sidecar-${program}`, IMAGES.sidecar, [program]))
  expect(await endOf(`sidecar-${program}`)).toContain('executable file not found')
})

describe.concurrent.each([
  ['sidecar', IMAGES.sidecar],
  ['redirect', IMAGES.redirect],
])('the image %s', (name, image) => {
  test.each(['sh', 'bash', 'npm', 'apt-get'])('has no %s', async (program) => {
    await namespace.create(once(`${name}-${program}`, image, [program]))
    expect(await endOf(`${name}-${program}`)).toContain('executable file not found')
  })

  test('lists its Debian packages and their release, for scanners', async () => {
    const read = `
      console.log(fs.readFileSync('/etc/os-release', 'utf8'))
      console.log(fs.readdirSync('/var/lib/dpkg/status.d').join())
      console.log(fs.readFileSync('/var/lib/dpkg/status.d/libc6', 'utf8'))`
    const node = ['/nodejs/bin/node', '--permission', '--allow-fs-read=*', '-e', read]
    await namespace.create(once(`${name}-packages`, image, node))
    await endOf(`${name}-packages`)
    const output = await namespace.logs(`${name}-packages`)
    expect(output).toMatch(/^VERSION_ID="12"$/m)
    expect(output).toMatch(/^.*\bca-certificates,.*libstdc\+\+6\b.*$/m)
    expect(output).toMatch(/^Version: 2\.36-/m)
    expect(output.includes('nftables')).toBe(name === 'redirect')
  })

  test('has compiled code that its V8 accepts', async () => {
    const read = `
      const cachedData = fs.readFileSync('/app/serve.cjs.cache')
      const script = new vm.Script(fs.readFileSync('/app/serve.cjs', 'latin1'), { cachedData })
      process.stdout.write('rejected: ' + script.cachedDataRejected)`
    await namespace.create(once(`${name}-compiled`, image, ['/nodejs/bin/node', '-e', read]))
    await endOf(`${name}-compiled`)
    expect(await namespace.logs(`${name}-compiled`)).toBe('rejected: false')
  })
})
