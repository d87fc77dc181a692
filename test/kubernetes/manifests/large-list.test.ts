/** What a List costs: no more than its workloads would as documents of their own. */
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { injectManifests } from '../../../src/kubernetes/manifests/inject-manifests.ts'
import { settings, TENANT } from '../injector/patched.ts'

const WORKLOADS = 250

const deployments = Array.from({ length: WORKLOADS }, (_, index) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: `app-${index}` },
  spec: { template: { spec: { containers: [{ name: 'app', image: 'app:1' }, { name: 'log' }] } } },
}))

test('a List takes no more than three times as long as its items alone', () => {
  const documents = deployments.map((each) => `---\n${stringify(each)}`).join('')
  const list = stringify({ apiVersion: 'v1', kind: 'List', items: deployments })
  msToInject(documents) // warms up
  const alone = msToInject(documents)
  expect(msToInject(list)).toBeLessThan(3 * alone)
})

function msToInject(source: string): number {
  const begin = performance.now()
  const { mistakes, workloads } = injectManifests([{ name: 'list.yaml', source }], {
    settings: settings({ tenantId: TENANT }),
    namespace: undefined,
  })
  const took = performance.now() - begin
  expect({ mistakes, workloads }).toEqual({ mistakes: [], workloads: WORKLOADS })
  return took
}
