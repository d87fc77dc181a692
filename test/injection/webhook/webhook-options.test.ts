import { expect, test } from 'vitest'
import { webhook } from '../../../src/injection/webhook/webhook.ts'
import { parseWebhookOptions } from '../../../src/injection/webhook/webhook-options.ts'
import { UsageError } from '../../../src/lib/errors.ts'
import { IS_RELEASED } from '../../../src/lib/version.ts'
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
      uid: 1501,
      injectByDefault: false,
    },
  })
})

test('parses every flag', () => {
  const flags = [
    '--listen=127.0.0.1:1',
    '--admin-listen=[::1]:2',
    '--drain=1s',
    '--cert-dir=/tls',
    '--client-ca=/ca.crt',
    '--mode=nft',
    '--allowed-modes=env,nft',
    '--allow-pass-through',
    '--always-set-no-proxy',
    '--image=i:1',
    '--redirect-image=r:1',
    '--gate-image=g:1',
    '--env=A=b',
    '--ca-config-map=corporate/bundle.pem',
    '--tenant-id=contoso.com',
    '--uid=none',
    '--audience=api://x',
    '--cpu-request=1',
    '--cpu-limit=2',
    '--memory-request=1Mi',
    '--memory-limit=2Mi',
  ]
  expect(parseWebhookOptions(flags)).toMatchObject({
    listen: { host: '127.0.0.1', port: 1 },
    adminListen: { host: '::1', port: 2 },
    drainMs: 1000,
    clientCaFile: '/ca.crt',
    defaultTenantId: 'contoso.com',
    certDirectory: '/tls',
    settings: {
      mode: 'nft',
      allowedModes: ['env', 'nft'],
      allowPassThrough: true,
      alwaysSetsNoProxy: true,
      image: 'i:1',
      redirectImage: 'r:1',
      gateImage: 'g:1',
      sidecarEnv: [{ name: 'A', value: 'b' }],
      ca: { kind: 'ConfigMap', name: 'corporate', key: 'bundle.pem' },
      uid: undefined,
      audience: 'api://x',
      resources: { requests: { cpu: '1', memory: '1Mi' }, limits: { cpu: '2', memory: '2Mi' } },
    },
  })
})

test('reports all problems of the flags', async () => {
  const flags = [
    '--listen=8443',
    '--drain=720h',
    '--mode=iptables',
    '--allowed-modes=env,iptables',
    '--env=WIMDS_LOG_LEVEL=bogus',
    '--tenant-id=a/b',
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
    '--tenant-id must be',
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
