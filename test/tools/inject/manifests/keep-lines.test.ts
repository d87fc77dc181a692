/** The lines that an injection does not concern, in manifests as public charts render them. */
import { diffLines } from 'diff'
import { describe, expect, test } from 'vitest'
import { parse, parseDocument } from 'yaml'
import { keepLines } from '../../../../src/tools/inject/manifests/keep-lines.ts'
import {
  injectManifests,
  uninjectManifests,
} from '../../../../src/tools/inject/manifests/inject-manifests.ts'
import { settings, TENANT } from '../../../injection/injector/patched.ts'

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
        emptyDir: {}
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

function inject(source: string) {
  const options = { settings: settings({ mode: 'env', tenantId: TENANT }), namespace: undefined }
  const { files, problems } = injectManifests([{ name: 'chart.yaml', source }], options)
  expect(problems).toEqual([])
  return files[0]?.result ?? ''
}

const changesOf = (before: string, after: string) =>
  diffLines(before, after, { ignoreNewlineAtEof: true })

describe.each(FILES)('a manifest %s', (_, source) => {
  const injected = inject(source)

  test('keeps each line but those that change', () => {
    const removed = changesOf(source, injected).filter((change) => change.removed)
    expect(removed.map(({ value }) => value.trim())).toEqual([])
    expect(injected).toContain('http://proxy.test')
    expect(parse(injected)).toMatchObject({
      spec: { template: { metadata: { annotations: { 'wimds.io/injected': expect.anything() } } } },
    })
    expect(parseDocument(injected, { uniqueKeys: true }).errors).toEqual([])
  })

  test('gets back its lines when it is uninjected', () => {
    const { files } = uninjectManifests([{ name: 'chart.yaml', source: injected }])
    expect(
      changesOf(source, files[0]?.result ?? '').filter(({ added, removed }) => added || removed),
    ).toEqual([])
  })
})

test('aligns a new element with its siblings, not with the printed style', () => {
  const text = 'a:\n- name: x\nb:\n    - name: y\n'
  const before = 'a:\n  - name: x\nb:\n  - name: y\n'
  const after = 'a:\n  - name: w\n    v: 1\n  - name: x\nb:\n  - name: y\n  - name: z\n'
  expect(keepLines(text, before, after)).toBe(
    'a:\n- name: w\n  v: 1\n- name: x\nb:\n    - name: y\n    - name: z\n',
  )
})

test('keeps lines that are printed in another form', () => {
  const text = 'a: "x\n  y"\nb: [1,2]\nc: 1\n'
  const before = 'a: "x y"\nb: [ 1, 2 ]\nc: 1\n'
  expect(keepLines(text, before, before.replace('c: 1', 'c: 2'))).toBe(text.replace('c: 1', 'c: 2'))
})
