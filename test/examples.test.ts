/** The manifests of examples/, without a cluster; test/e2e shows them to one. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { inject } from '../src/commands/inject/inject.ts'
import { IdentitiesSchema } from '../src/config/identities-file.ts'
import { captureIo } from './commands/capture.ts'
import { objectMistakes } from './docs/kubernetes-fields.ts'
import { MANIFESTS, readPage, ROOT } from './docs/pages.ts'

const mistakesIn = (text: string) =>
  parseAllDocuments(text).flatMap((document) => objectMistakes(document.toJS()))

describe.each(MANIFESTS)('%s', (file) => {
  test('has known kinds and fields alone', () => {
    expect(mistakesIn(readPage(file))).toEqual([])
  })

  test('can be injected as it is, without a warning', async () => {
    const io = captureIo()
    expect(await inject([join(ROOT, file)], io)).toBe(0)
    expect(io.err()).toBe('')
    expect(io.out()).toMatch(/^ +- name: wimds$/m)
    expect(mistakesIn(io.out())).toEqual([])
  })
})

test('the identities of the example’s ConfigMap are a valid identities file', () => {
  const example = MANIFESTS.find((file) => file.endsWith('/identities-in-a-configmap.yaml')) ?? ''
  const documents = parseAllDocuments(readPage(example))
  const text = documents.map((each) => each.getIn(['data', 'identities.yaml'])).find(Boolean)
  const { identities } = IdentitiesSchema.parse(parse(String(text)))
  expect(identities.map(({ name }) => name)).toEqual(['orders', 'billing'])
})
