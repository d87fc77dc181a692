/** Tests the parts of an injection that golden/ does not show: the image, the size of the patch, and a second injection after a change. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { READABLE } from '../../../src/injection/injector/federated-token.ts'
import { APP, envOf, injected, patchFor, pod, reasonsFor } from './patched.ts'

const TOKEN_FILE = 'AZURE_FEDERATED_TOKEN_FILE'

test('the token and the CA are in directories that the image permits Node to read', async () => {
  const dockerfile = await readFile('Dockerfile', 'utf8')
  for (const directory of [...READABLE, '/etc/ssl']) {
    expect(dockerfile).toContain(` --allow-fs-read=${directory} `)
  }
})

test('a pod whose patch would be larger than 1 MiB is rejected', () => {
  const env = [{ name: 'HTTP_PROXY', value: 'x'.repeat(2 ** 20) }]
  expect(reasonsFor(pod({}, { containers: [{ ...APP, env }] }))).toEqual([
    expect.stringMatching(/^the patch would have 1\d{6} bytes, but the limit is 1048576\. Fix: /),
  ])
})

test('a second injection uses the token that the AKS webhook has added since', () => {
  const volumeMounts = [{ name: 'aks', mountPath: '/var/run/secrets/azure/tokens' }]
  const file = '/var/run/secrets/azure/tokens/azure-identity-token'
  const sources = [{ serviceAccountToken: { path: 'azure-identity-token' } }]
  const added = { name: 'aks', projected: { sources } }
  const { spec, ...once } = injected(pod())
  const containers = [{ ...APP, env: [{ name: TOKEN_FILE, value: file }], volumeMounts }]
  const volumes = [...(spec.volumes ?? []), added]
  const twice = injected({ ...once, spec: { ...spec, containers, volumes } })
  expect(envOf(twice, 'wimds')).toMatchObject({ [TOKEN_FILE]: file })
  expect(twice.spec.volumes).toEqual([added])
})

test('a second injection with a newer image patches only the init containers', () => {
  const patch = patchFor(injected(pod()), { image: 'wimds:newer' })
  expect(patch.map(({ path }) => path)).toEqual(['/spec/initContainers'])
})
