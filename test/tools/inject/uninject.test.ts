import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Command } from '../../../src/lib/command.ts'
import { inject } from '../../../src/tools/inject/inject.ts'
import { uninject } from '../../../src/tools/inject/uninject.ts'
import { runCommand } from '../capture.ts'

const run = (command: Command, args: readonly string[], input?: string) =>
  runCommand(command, args, {}, input)

const ID = '11111111-1111-4111-8111-111111111111'
const INJECT = ['--quiet', '--client-id', ID, '--tenant-id', ID, '--image-registry=a.test']

async function injected(source: string, ...args: readonly string[]): Promise<string> {
  const { code, out } = await run(inject, [...INJECT, ...args, '-'], source)
  expect(code).toBe(0)
  return out
}

const DEPLOYMENT = `# Orders, owned by the shop team.
apiVersion: apps/v1
kind: Deployment # long-running
metadata: {name: orders, namespace: shop}
spec:
  template:
    spec:
      # the schema
      initContainers:
      # first
      - name: migrate
        image: "orders:1" # pinned
      containers:
      - name: app
        image: orders:1
        env:
        - {name: LOG, value: 'yes'} # quoted on purpose
      # nothing after this
---
apiVersion: v1
kind: ConfigMap
metadata:   {name: untouched}
`

const JSON_POD = `${JSON.stringify(
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'orders' },
    spec: {
      volumes: [{ name: 'data', emptyDir: {} }],
      containers: [{ name: 'app', image: 'orders:1' }],
    },
  },
  null,
  2,
)}\n`

describe('wimds uninject', () => {
  test.each([
    ['env', 'YAML', DEPLOYMENT],
    ['nft', 'JSON', JSON_POD],
    ['node', 'YAML', DEPLOYMENT],
  ])('restores what was injected in mode %s: %s', async (mode, _, source) => {
    const { code, out } = await run(uninject, ['-'], await injected(source, '--mode', mode))
    expect(code).toBe(0)
    expect(out).toBe(source)
  })

  test('keeps the comments of empty lists and maps', async () => {
    const source = `apiVersion: v1
kind: Pod
metadata:
  annotations: # no annotations
spec:
  initContainers: # no init containers
  # of the containers
  containers:
  - name: app
    env: # no variables
    # of app
  volumes: # no volumes
`
    const { out } = await run(uninject, ['-'], await injected(source, '--mode', 'env'))
    expect(out.match(/#.*/g)?.toSorted()).toEqual(source.match(/#.*/g)?.toSorted())
    expect(parse(out)).toHaveProperty('spec.containers', [expect.objectContaining({ name: 'app' })])
  })

  test('restores the mount of a CA and a configuration', async () => {
    const annotations = `metadata: {annotations: {wimds.io/config-map: wimds}}`
    const source = DEPLOYMENT.replace('  template:\n', `  template:\n    ${annotations}\n`)
    const text = await injected(source, '--ca-config-map', 'ca')
    expect(text).toContain('wimds-ca')
    expect((await run(uninject, ['-'], text)).out).toBe(source)
  })

  test('says what it did to each object, and exits with 0 if there is nothing to remove', async () => {
    const first = await run(uninject, ['-'], await injected(DEPLOYMENT))
    expect(first.err.replaceAll(/wimds uninject: stdin:\d+: /g, '')).toBe(
      'Deployment/orders: uninjected\nConfigMap/untouched: skipped: kind ConfigMap\n',
    )
    const second = await run(uninject, ['-'], first.out)
    expect(second).toMatchObject({ code: 0, out: first.out })
    expect(second.err).toContain('Deployment/orders: skipped: not injected')
  })

  test('keeps the annotation that asks for injection, and says so', async () => {
    const metadata = '    metadata: {annotations: {wimds.io/inject: "true"}}\n'
    const source = DEPLOYMENT.replace('  template:\n', `  template:\n${metadata}`)
    const { out, err } = await run(uninject, ['-'], await injected(source))
    expect(out).toBe(source)
    expect(err).toMatch(/warning: the annotation wimds\.io\/inject stays.*Fix: delete it/)
  })

  const LOG = "{name: LOG, value: 'yes'} # quoted on purpose"

  test.each([
    ['NO_PROXY', '169.254.169.254,localhost,127.0.0.1'],
    ['AZURE_POD_IDENTITY_AUTHORITY_HOST', 'http://127.0.0.1:64169'],
  ])('restores %s=%s of the author', async (name, value) => {
    const source = DEPLOYMENT.replace(LOG, `{name: ${name}, value: "${value}"}`)
    const text = await injected(source, '--mode', 'env')
    expect(await injected(text)).toBe(text)
    const { out, err } = await run(uninject, ['--quiet', '-'], text)
    expect({ out, err }).toEqual({ out: source, err: '' })
  })

  test('keeps a variable that was edited after the injection, and names it', async () => {
    const source = DEPLOYMENT.replace(LOG, "{name: NO_PROXY, value: '.svc'}")
    const text = await injected(source)
    const { out, err } = await run(
      uninject,
      ['--quiet', '-'],
      text.replace("value: '.svc,", "value: '.corp,.svc,"),
    )
    expect(out).toContain("{name: NO_PROXY, value: '.corp,.svc,169.254.169.254,")
    expect(err).toContain('since it was edited after the injection: NO_PROXY of app. Fix: delete')
    expect(err.match(/warning/g)).toHaveLength(1)
  })

  test('removes what it added to a list that was sorted after the injection', async () => {
    const source = JSON_POD.replace(
      '"image": "orders:1"',
      '"image": "orders:1", "env": [{ "name": "LOG", "value": "1" }]',
    )
    const pod = JSON.parse(await injected(source, '--mode', 'env'))
    const { env } = pod.spec.containers[0]
    env.sort((a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1))
    const { out, err } = await run(uninject, ['--quiet', '-'], JSON.stringify(pod))
    expect(JSON.parse(out).spec.containers[0].env).toEqual([{ name: 'LOG', value: '1' }])
    expect(err).toBe('')
  })

  test('restores a list in which a name occurs twice, with its comments', async () => {
    const twice = "- {name: LOG, value: 'no'}\n        # for staging\n        - "
    const source = DEPLOYMENT.replace(`- ${LOG}`, `${twice}${LOG}`)
    const text = await injected(source, '--mode', 'env')
    expect(text).toContain(`${twice}${LOG}\n        - name: AZURE_POD_IDENTITY`)
    expect((await run(uninject, ['-'], text)).out).toBe(source)
  })

  test('rejects a sidecar without a record', async () => {
    const source = DEPLOYMENT.replace('name: migrate', 'name: wimds')
    const { code, out, err } = await run(uninject, ['-'], source)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain('Fix: start from the manifest without it')
  })
})
