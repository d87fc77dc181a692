/** Places of additions among the comments and blank lines of a manifest. */
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { injectManifests } from '../../../../src/tools/inject/manifests/inject-manifests.ts'
import { settings, TENANT } from '../../../cluster/injector/patched.ts'

const SOURCE = `apiVersion: v1
kind: Pod
metadata:
  name: orders
  # of the name
# of the spec
spec:
  initContainers: # first come
  # of migrate
  - name: migrate
    env: [] # none yet
    # of migrate, too
  # of nothing
  containers:

  - name: app
    command:
    - |
      run

    # of app
  # of the list
  restartPolicy: Always # of the policy
# of the document
`

test('adds after the comments of the node before, and before the comments of the next one', () => {
  const { files, problems } = injectManifests([{ name: 'pod.yaml', source: SOURCE }], {
    settings: settings({ mode: 'env', tenantId: TENANT }),
    namespace: undefined,
  })
  expect(problems).toEqual([])
  const injected = files[0]?.result ?? ''
  expect(outline(injected)).toBe(`apiVersion: v1
kind: Pod
metadata:
  name: orders
  # of the name
  annotations:
# of the spec
spec:
  initContainers: # first come
  - name: wimds
  # of migrate
  - name: migrate
    env: # none yet
    - name: AZURE_POD_IDENTITY_AUTHORITY_HOST
    # of migrate, too
  # of nothing
  containers:

  - name: app
    command:
    - |
      run
    env:
    - name: AZURE_POD_IDENTITY_AUTHORITY_HOST

    # of app
  # of the list
  restartPolicy: Always # of the policy
  volumes:
  - name: wimds-token
# of the document
`)
})

const UNFILLED = `apiVersion: v1
kind: Pod
metadata:
  annotations: # no annotations
spec:
  initContainers: # no init containers
  containers:
  - name: app
    env: # no variables
    # of app
  volumes:\t# no volumes
`

test.each([
  ['', UNFILLED],
  [' and the line breaks of Windows', UNFILLED.replaceAll('\n', '\r\n')],
  [' at the very end', UNFILLED.trimEnd()],
  [' and without metadata', UNFILLED.replace(/metadata:[^]*(?=spec)/, 'metadata: # nothing\n')],
  [' and a null', UNFILLED.replaceAll(/:(?=\s#)/g, ': ~')],
  [' and another null', UNFILLED.replaceAll(/:(?=\s#)/g, ': NULL')],
])('fills keys without a value and keeps their comments%s', (_, source) => {
  const { files, problems } = injectManifests([{ name: 'pod.yaml', source }], {
    settings: settings({ mode: 'env', tenantId: TENANT }),
    namespace: undefined,
  })
  expect(problems).toEqual([])
  const result = files[0]?.result ?? ''
  const lines = result.split('\n')
  expect(
    source
      .replaceAll(/: (~|NULL)/g, ':')
      .split('\n')
      .filter((line) => !lines.includes(line)),
  ).toEqual([])
  expect(parse(result)).toMatchObject({
    metadata: { annotations: { 'wimds.io/injected': expect.stringContaining('"mode":"env"') } },
    spec: {
      initContainers: [{ name: 'wimds' }],
      containers: [{ name: 'app', env: [{}] }],
      volumes: [{ name: 'wimds-token' }],
    },
  })
})

/** Returns the lines of the source, and those of the additions that name something. */
function outline(text: string): string {
  const own = new Set(SOURCE.split('\n'))
  let isInSidecar = false
  const lines = text.split('\n').filter((line) => {
    if (line.startsWith('  - name:')) isInSidecar = line.endsWith(' wimds')
    if (line.endsWith('- name: wimds')) return true
    if (own.has(line)) isInSidecar = false
    return own.has(line) || (!isInSidecar && /- name: |env:|annotations:|volumes:/.test(line))
  })
  return lines.join('\n')
}
