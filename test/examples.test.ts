/** The manifests of examples/ without a cluster; test/e2e applies them to one, which validates every field. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { inject } from '../src/commands/inject/inject.ts'
import { IdentitiesSchema } from '../src/config/identities-file.ts'
import { captureIo } from './commands/capture.ts'
import { readPage, ROOT } from './docs/pages.ts'

const MANIFESTS = ['examples/kubernetes', 'examples/services'].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => `${folder}/${name}`),
)

test.each(MANIFESTS)('%s is injected without a warning', async (file) => {
  const io = captureIo()
  expect(await inject([join(ROOT, file)], io)).toBe(0)
  expect(io.err()).toBe('')
  expect(io.out()).toMatch(/^ +- name: wimds$/m)
})

test('the identities of the example’s ConfigMap are a valid identities file', () => {
  const example = MANIFESTS.find((file) => file.endsWith('/identities-in-a-configmap.yaml')) ?? ''
  const documents = parseAllDocuments(readPage(example))
  const text = documents.map((each) => each.getIn(['data', 'identities.yaml'])).find(Boolean)
  const { identities } = IdentitiesSchema.parse(parse(String(text)))
  expect(identities.map(({ name }) => name)).toEqual(['orders', 'billing'])
})
