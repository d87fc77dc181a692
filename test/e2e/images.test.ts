/** The contents of the images, as a hardened container sees them. */
import { expect, test } from 'vitest'
import { IMAGES } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { testNamespace } from './support/namespace.ts'

const INSPECT = `
const names = ['sh', 'bash', 'npm', 'apt-get', 'nsenter', 'ip', 'nft']
const folders = ['/bin', '/sbin', '/usr/bin', '/usr/sbin', '/usr/local/bin', '/nodejs/bin']
const cachedData = fs.readFileSync('/app/serve.cjs.cache')
const script = new vm.Script(fs.readFileSync('/app/serve.cjs', 'latin1'), { cachedData })
console.log(JSON.stringify({
  programs: names.filter((name) => folders.some((folder) => fs.existsSync(folder + '/' + name))),
  release: fs.readFileSync('/etc/os-release', 'utf8'),
  packages: fs.readdirSync('/var/lib/dpkg/status.d'),
  libc: fs.readFileSync('/var/lib/dpkg/status.d/libc6', 'utf8'),
  isCompiledCodeRejected: script.cachedDataRejected,
}))`

test.concurrent.each([
  ['sidecar', []],
  ['redirect', ['ip', 'nft']],
] as const)(
  'the image %s has the programs %j, compiled code that its V8 accepts, and lists its Debian packages for scanners',
  async (name, programs) => {
    // This level admits only pods that are unprivileged and without capabilities.
    await using namespace = await testNamespace(`wimds-e2e-images-${name}`, 'restricted')
    const container = {
      name: 'app',
      image: IMAGES[name],
      command: ['/nodejs/bin/node', '--permission', '--allow-fs-read=*', '-e', INSPECT],
      securityContext: {
        runAsUser: 1501,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      },
    }
    await namespace.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        restartPolicy: 'Never',
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [container],
      },
    })
    const seen = await eventually(`${name} has printed what it sees`, async () =>
      JSON.parse(await namespace.logs(name)),
    )
    expect(seen).toMatchObject({ programs, isCompiledCodeRejected: false })
    expect(seen.release).toMatch(/^VERSION_ID="12"$/m)
    expect(seen.libc).toMatch(/^Version: 2\.36-/m)
    expect(seen.packages).toEqual(expect.arrayContaining(['ca-certificates', 'libstdc++6']))
    expect(seen.packages.includes('nftables')).toBe(name === 'redirect')
  },
)
