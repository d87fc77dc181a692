/** The annotated manifest of the examples is what `wimds inject` makes of a pod. */
import { expect, test } from 'vitest'
import { editManifests } from '../../src/tools/inject/manifests/edit-manifests.ts'
import { SERVICE_ACCOUNT, settings } from '../injection/injector/patched.ts'
import { readPage } from './pages.ts'

const POD = `apiVersion: v1
kind: Pod
metadata:
  name: orders-demo
spec:
  serviceAccountName: orders
  containers:
    - name: orders
      image: example.azurecr.io/orders:1
`

test('examples/injected/pod.yaml is a pod that wimds inject has injected, with comments', () => {
  const registry = 'example.azurecr.io'
  const { files, problems } = editManifests([{ name: 'pod.yaml', source: POD }], {
    settings: settings({
      image: `${registry}/wimds:0.1.0`,
      redirectImage: `${registry}/wimds-redirect:0.1.0`,
    }),
    identity: SERVICE_ACCOUNT,
    namespace: undefined,
  })
  expect(problems).toEqual([])
  const text = readPage('examples/injected/pod.yaml')
    .replaceAll(/^# .*\n| +# .*\n(?= +wimds)| +# .*$/gm, '')
    // The file is formatted with single quotes.
    .replaceAll("'", '"')
  expect(text).toBe(files[0]?.result.replaceAll("'", '"'))
})
