/** The annotated manifest of docs/kubernetes.md is what `wimds inject` makes of a pod. */
import { expect, test } from 'vitest'
import { injectManifests } from '../../src/tools/inject/manifests/inject-manifests.ts'
import { CLIENT, settings, TENANT } from '../cluster/injector/patched.ts'
import { BLOCKS } from './pages.ts'

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

test('the pod of docs/kubernetes.md is one that wimds inject has injected, with comments', () => {
  const [block, ...more] = BLOCKS.filter(
    ({ place, text }) => place.startsWith('docs/kubernetes.md:') && text.includes('/injected: '),
  )
  const registry = 'example.azurecr.io'
  const { files, problems } = injectManifests([{ name: 'pod.yaml', source: POD }], {
    settings: settings({
      clientId: CLIENT,
      tenantId: TENANT,
      image: `${registry}/wimds:0.1.0`,
      redirectImage: `${registry}/wimds-redirect:0.1.0`,
    }),
    namespace: undefined,
  })
  expect(problems).toEqual([])
  expect(more).toEqual([])
  // The pages are formatted with single quotes.
  const text = block?.text.replaceAll(/ +# .*\n(?= +wimds)| +# .*$/gm, '').replaceAll("'", '"')
  expect(text).toBe(files[0]?.result.replaceAll("'", '"'))
})
