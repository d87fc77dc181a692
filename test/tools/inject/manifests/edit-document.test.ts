/** Checks what an edit keeps of a document. */
import { diffLines } from 'diff'
import { describe, expect, test } from 'vitest'
import { parse, parseDocument } from 'yaml'
import { editManifests } from '../../../../src/tools/inject/manifests/edit-manifests.ts'
import { parseYamlDocument } from '../../../../src/tools/inject/manifests/documents.ts'
import { applyEdits, DocumentEditor } from '../../../../src/tools/inject/manifests/edit-document.ts'
import { settings, TENANT } from '../../../injection/injector/patched.ts'

function inject(source: string): string {
  const { files, problems } = editManifests([{ name: 'pod.yaml', source }], {
    settings: settings({ mode: 'env' }),
    identity: { 'azure.workload.identity/tenant-id': TENANT },
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

test('injects a pod template with the anchor of an alias outside of it', () => {
  const source = `apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  template:
    metadata:
      labels: &labels {app: orders}
    spec:
      containers: [{name: app}]
  selector:
    matchLabels: *labels
`
  const result = inject(source)
  expect(result).toContain('wimds.io/injected')
  expect(result.match(/[&*]labels/g)).toEqual(['&labels', '*labels'])
})

test('changes the elements of a list without names one by one', () => {
  const text = 'args:\n- redirect # first\n- --port=64169\n'
  const editor = new DocumentEditor(parseYamlDocument(text), text)
  const before = { args: ['redirect', '--port=64169'] }
  const edits = editor.findEdits([], before, { args: ['redirect', '--port=1', '--wait=300'] })
  expect(applyEdits(text, edits)).toBe('args:\n- redirect # first\n- "--port=1"\n- --wait=300\n')
})

/** Lists at two indentations, long texts over several lines, and quotes of each kind. */
const CHART = `---
# Source: shop/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: "orders"
  labels:
    app.kubernetes.io/name:   orders   # aligned by hand
  annotations: {checksum/config:  abc}
spec:
  selector:
    matchExpressions:
    - {key: app, operator: In, values: [orders]}
  template:
    metadata:
      annotations:
          example.com/deep: 'four'
          example.com/text: "a text
            over two lines"
      labels:
        app: orders
    spec:
      tolerations:
      - key: a
        operator: Exists

      initContainers:
      - name: migrate
        image: migrate
        args:
        - --all
      containers:
        - name: app
          image: app:1
          command: ["sh", "-c",
                    "run"]
          args:
          - --plain text
            over two lines
          -   --far
          env:
            - name: A
              value: >-
                folded
                text
            # the last one
            - name: HTTP_PROXY
              value: http://proxy.test
          volumeMounts:
          - {name: data,   mountPath: /data}
        - name: other
          image: other
      volumes:
      # of data
      - name: data
        secret: {secretName: data, defaultMode: 0644, items: [on, 1.0, ~, "1", 1E400]}
`

const FILES = [
  ['of a chart', CHART],
  ['with line breaks of Windows', CHART.replaceAll('\n', '\r\n')],
  ['without an end of line', CHART.trimEnd()],
  [
    'without lists to extend',
    CHART.replace(/ {6}initContainers[^]*?(?= {6}containers)/, '').replace(/ {6}volumes[^]*/, ''),
  ],
] as const

const changesOf = (before: string, after: string) =>
  diffLines(before, after, { ignoreNewlineAtEof: true })

describe.each(FILES)('a manifest %s', (_, source) => {
  const injected = inject(source)

  test('keeps each line that is not changed', () => {
    const removed = changesOf(source, injected).filter((change) => change.removed)
    expect(removed.map(({ value }) => value.trim())).toEqual([])
    expect(injected).toContain('http://proxy.test')
    expect(parse(injected)).toMatchObject({
      spec: { template: { metadata: { annotations: { 'wimds.io/injected': expect.anything() } } } },
    })
    expect(parseDocument(injected, { uniqueKeys: true }).errors).toEqual([])
  })

  test('has its original lines again after uninject', () => {
    const { files } = editManifests([{ name: 'chart.yaml', source: injected }], undefined)
    expect(
      changesOf(source, files[0]?.result ?? '').filter(({ added, removed }) => added || removed),
    ).toEqual([])
  })
})
