/** A List is injected like its items as documents of their own. */
import { expect, test } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { injectManifests } from '../../../../src/tools/inject/manifests/inject-manifests.ts'
import { settings, TENANT } from '../../../cluster/injector/patched.ts'

const deployments = Array.from({ length: 25 }, (_, index) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: `app-${index}` },
  spec: { template: { spec: { containers: [{ name: 'app', image: 'app:1' }, { name: 'log' }] } } },
}))

function run(source: string): string {
  const { files, problems, objects } = injectManifests([{ name: 'list.yaml', source }], {
    settings: settings({ tenantId: TENANT }),
    namespace: undefined,
  })
  expect(problems).toEqual([])
  expect(objects.map(({ kind, name, outcome }) => `${kind}/${name} ${outcome}`)).toEqual(
    deployments.map(({ metadata }) => `Deployment/${metadata.name} injected`),
  )
  return files[0]?.result ?? ''
}

test('a List of workloads is injected like as many documents', () => {
  const documents = run(deployments.map((each) => `---\n${stringify(each)}`).join(''))
  const list: unknown = parse(
    run(stringify({ apiVersion: 'v1', kind: 'List', items: deployments })),
  )
  const items: unknown[] = parseAllDocuments(documents).map((document) => document.toJS())
  expect(list).toEqual({ apiVersion: 'v1', kind: 'List', items })
})
