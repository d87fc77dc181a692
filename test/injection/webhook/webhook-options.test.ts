import { expect, test } from 'vitest'
import { webhook } from '../../../src/injection/webhook/webhook.ts'
import { parseWebhookOptions } from '../../../src/injection/webhook/webhook-options.ts'
import { UsageError } from '../../../src/lib/errors.ts'
import { IS_RELEASED, VERSION } from '../../../src/lib/version.ts'
import { captureIo } from '../../tools/capture.ts'

const IMAGES = '--image-registry=r.example'

test.skipIf(IS_RELEASED)('asks for the images of a version that is not released', () => {
  expect(() => parseWebhookOptions(['--image=i:1', '--redirect-image=r:1'])).toThrow(
    /--image-registry is missing: .* \S+\/wimds-gate:/,
  )
})

test('creates its own certificate by default, and injects as wimds inject does', () => {
  expect(parseWebhookOptions([IMAGES])).toMatchObject({
    listen: { host: '::', port: 8443 },
    adminListen: { host: '::', port: 9440 },
    drainMs: 5000,
    certDirectory: undefined,
    service: { namespace: 'wimds', name: 'wimds' },
    settings: {
      mode: 'loopback',
      allowedModes: ['env', 'loopback', 'nft', 'node'],
      allowPassThrough: false,
      image: `r.example/wimds:${VERSION}`,
      redirectImage: `r.example/wimds-redirect:${VERSION}`,
      gateImage: `r.example/wimds-gate:${VERSION}`,
      uid: 1501,
      injectByDefault: false,
    },
  })
})

test.each<[flag: string, expected: object]>([
  ['--listen=127.0.0.1:1', { listen: { host: '127.0.0.1', port: 1 } }],
  ['--admin-listen=[::1]:2', { adminListen: { host: '::1', port: 2 } }],
  ['--drain=1s', { drainMs: 1000 }],
  ['--cert-dir=/tls', { certDirectory: '/tls' }],
  ['--client-ca=/ca.crt', { clientCaFile: '/ca.crt' }],
  ['--tenant-id=contoso.com', { defaultTenantId: 'contoso.com' }],
  ['--namespace=a', { service: { namespace: 'a' } }],
  ['--name=a', { service: { name: 'a' } }],
  ['--mode=nft', { settings: { mode: 'nft' } }],
  ['--allowed-modes=env,loopback', { settings: { allowedModes: ['env', 'loopback'] } }],
  ['--allow-pass-through', { settings: { allowPassThrough: true } }],
  ['--always-set-no-proxy', { settings: { alwaysSetsNoProxy: true } }],
  ['--image=i:1', { settings: { image: 'i:1' } }],
  ['--redirect-image=r:1', { settings: { redirectImage: 'r:1' } }],
  ['--gate-image=g:1', { settings: { gateImage: 'g:1' } }],
  ['--env=A=b', { settings: { sidecarEnv: [{ name: 'A', value: 'b' }] } }],
  ['--ca-config-map=c', { settings: { ca: { kind: 'ConfigMap', name: 'c', key: 'ca.crt' } } }],
  ['--ca-secret=s/a.pem', { settings: { ca: { kind: 'Secret', name: 's', key: 'a.pem' } } }],
  ['--uid=none', { settings: { uid: undefined } }],
  ['--audience=api://x', { settings: { audience: 'api://x' } }],
  ['--cpu-request=1', { settings: { resources: { requests: { cpu: '1' } } } }],
  ['--cpu-limit=2', { settings: { resources: { limits: { cpu: '2' } } } }],
  ['--memory-request=1Mi', { settings: { resources: { requests: { memory: '1Mi' } } } }],
  ['--memory-limit=1Gi', { settings: { resources: { limits: { memory: '1Gi' } } } }],
])('parses %s', (flag, expected) => {
  expect(parseWebhookOptions([IMAGES, flag])).toMatchObject(expected)
})

test('reports all problems of the flags', async () => {
  const flags = [
    '--listen=8443',
    '--drain=720h',
    '--mode=iptables',
    '--allowed-modes=env,iptables',
    '--env=WIMDS_LOG_LEVEL=bogus',
    '--env=WIMDS_LISTEN=[::1]:80',
    '--tenant-id=a/b',
    '--audience=',
    '--cpu-request=much',
    '--image-registry=https://r.example/',
    '--memory-request=1Gi',
    '--memory-limit=128Mi',
    '--cert-dir=/tls',
    '--name=s',
    'now',
  ]
  const error = await webhook(flags, captureIo()).catch((thrown: unknown) => thrown)
  const { message } = error instanceof UsageError ? error : new Error('no UsageError')
  const problems = [
    'argument now',
    '--listen must be',
    '--drain must be',
    '--mode iptables',
    '--allowed-modes iptables',
    '--env WIMDS_LOG_LEVEL',
    '--env must not have WIMDS_LISTEN',
    '--tenant-id must be',
    '--audience must be',
    '--cpu-request must be',
    '--image-registry must be',
    'the memory request 1Gi',
    '--name or --cert-dir',
  ]
  expect(problems.filter((each) => !message.includes(each))).toEqual([])
})

test('rejects a default mode that pods may not choose', () => {
  expect(() => parseWebhookOptions([IMAGES, '--allowed-modes=env'])).toThrow('--mode is loopback')
})
