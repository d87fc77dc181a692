/** What a changed document keeps. */
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { injectManifests } from '../../../../src/tools/inject/manifests/inject-manifests.ts'
import { settings, TENANT } from '../../../injection/injector/patched.ts'

function inject(source: string): string {
  const { files, problems } = injectManifests([{ name: 'pod.yaml', source }], {
    settings: settings({ mode: 'env', tenantId: TENANT }),
    namespace: undefined,
  })
  expect(problems).toEqual([])
  return files[0]?.result ?? ''
}

const COMMENTED = `# of the file
--- # of the marker
apiVersion: v1
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

const findComments = (text: string) =>
  (text.match(/#.*/g) ?? []).map((each) => each.trim()).toSorted()

test.each([
  ['everywhere', COMMENTED],
  ['on keys without a value', UNFILLED],
  ['with the line breaks of Windows', UNFILLED.replaceAll('\n', '\r\n')],
  ['at the very end', UNFILLED.trimEnd()],
  ['without metadata', UNFILLED.replace(/metadata:[^]*(?=spec)/, 'metadata: # nothing\n')],
  ['on a null', UNFILLED.replaceAll(/:(?=\s#)/g, ': ~')],
])('keeps comments %s', (_, source) => {
  const result = inject(source)
  expect(findComments(result)).toEqual(findComments(source))
  expect(result.endsWith('\n')).toBe(source.endsWith('\n'))
  expect(result.includes('\r\n')).toBe(source.includes('\r\n'))
  expect(parse(result)).toMatchObject({
    metadata: { annotations: { 'wimds.io/injected': expect.stringContaining('"mode":"env"') } },
    spec: { initContainers: expect.anything(), volumes: [{ name: 'wimds-token' }] },
  })
})

const STYLED = `apiVersion: v1
kind: Pod
metadata: {name: "orders", labels: {'team': shop, "on": "true"}}
spec:
  hostPID: no
  securityContext: {fsGroup: 0x10, runAsUser: 0o17}
  volumes:
    - name: data
      secret: {secretName: data, defaultMode: 0644}
  containers:
    - name: app
      image: 'orders:1.10'
      args: [on, 1.0, ~, "1"]
      command: &run
        - |-
          first
            second
      lifecycle: {preStop: {exec: {command: *run}}}
`

test('keeps numbers, quotes, anchors and the indentation of lists as they were written', () => {
  const lines = inject(STYLED).split('\n')
  expect(STYLED.split('\n').filter((line) => !lines.includes(line))).toEqual([
    expect.stringContaining('metadata: '),
  ])
})

const NUMBERS = `{
  "apiVersion": "v1",
  "kind": "Pod",
  "metadata": {
    "generation": 9223372036854775807,
    "annotations": {}
  },
  "spec": {
    "ratio": 1.0,
    "limits": [
      -0,
      1E400,
      0.1e-7
    ],
    "containers": [
      {
        "name": "app"
      }
    ]
  }
}
`

test('keeps the numbers of JSON as they were written', () => {
  const lines = inject(NUMBERS).split('\n')
  expect(NUMBERS.split('\n').filter((line) => /\d/.test(line) && !lines.includes(line))).toEqual([])
})
