import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { IdentitiesFile } from '../src/config/identities-schema.ts'

const EXAMPLE = fileURLToPath(
  new URL('../examples/kubernetes/identities-in-a-configmap.yaml', import.meta.url),
)

test('the identities of the example’s ConfigMap are a valid identities file', () => {
  const documents = parseAllDocuments(readFileSync(EXAMPLE, 'utf8'))
  const text = documents.map((each) => each.getIn(['data', 'identities.yaml'])).find(Boolean)
  const { identities } = IdentitiesFile.parse(parse(String(text)))
  expect(identities.map(({ name }) => name)).toEqual(['orders', 'billing'])
})
