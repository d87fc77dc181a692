/** Checks the limit on the expansion of aliases. */
import { expect, test } from 'vitest'
import { editManifests } from '../../../../src/tools/inject/manifests/edit-manifests.ts'
import { settings, TENANT } from '../../../injection/injector/patched.ts'

const POD = `apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  containers:
  - name: app
`

function run(source: string) {
  return editManifests([{ name: 'pod.yaml', source }], {
    settings: settings({ mode: 'env' }),
    identity: { 'azure.workload.identity/tenant-id': TENANT },
    namespace: undefined,
  })
}

const listOf = (items: readonly string[]) => `apiVersion: v1
kind: List
items:
${items.map((item) => `- ${item.trimEnd().replaceAll('\n', '\n  ')}\n`).join('')}`

const labelled = (labels: string) =>
  `{kind: ConfigMap, apiVersion: v1, metadata: {labels: ${labels}}}`

test('accepts a List of many objects that share labels', () => {
  const others = Array.from({ length: 300 }, () => labelled('*labels'))
  const { files, problems } = run(listOf([labelled('&labels {app: x}'), ...others, POD]))
  expect(problems).toEqual([])
  expect(files[0]?.result).toContain('name: wimds')
})

const tenTimes = (element: string) => `[${Array.from({ length: 10 }, () => element).join(', ')}]`
const laughs = (depth: number) =>
  Array.from({ length: depth }, (_, i) => `- &a${i} ${tenTimes(i === 0 ? 'lol' : `*a${i - 1}`)}\n`)

test.each([
  ['the billion laughs', `data:\n${laughs(10).join('')}`, 'Excessive alias count'],
  ['a thousand aliases', `data:\n- &a x\n${'- *a\n'.repeat(1001)}`, 'it has more than 1000'],
])('rejects %s', (_, data, message) => {
  const { problems } = run(`apiVersion: v1\nkind: ConfigMap\n${data}`)
  expect(problems).toEqual([expect.stringContaining(`pod.yaml:1:1: ${message}`)])
})

test('rejects an alias of itself', () => {
  const { problems } = run('apiVersion: v1\nkind: ConfigMap\ndata: &a [*a]\n')
  const message = 'an alias is part of the value that it names'
  expect(problems).toEqual([expect.stringContaining(`pod.yaml:1:1: ${message}`)])
})

test('takes the last anchor of a name', () => {
  const long = 'x'.repeat(100_000)
  const again = `data:\n- &a ${long}\n- &a y\n${'- *a\n'.repeat(500)}`
  expect(run(`apiVersion: v1\nkind: ConfigMap\n${again}`).problems).toEqual([])
})
