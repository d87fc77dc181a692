/** The examples that read the plan of `wimds trust`, parsed by the grammars of their tools. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Language, Parser } from 'web-tree-sitter'
import { formatJson } from '../src/tools/trust/output/json.ts'
import { readPage } from './docs/pages.ts'
import { identity, ORDERS_ID, planWith } from './tools/trust/fixtures.ts'

// Its declarations would bring the types of the DOM.
const require = createRequire(import.meta.url)
const { parse } = require('@cdktn/hcl2json')
const GRAMMAR = fileURLToPath(import.meta.resolve('tree-sitter-bicep/tree-sitter-bicep.wasm'))

const BICEP = readPage('examples/fleet/credentials.bicep')
const TERRAFORM = readPage('examples/fleet/credentials.tf')
const PLAN = JSON.parse(formatJson(planWith(identity({ id: ORDERS_ID }))))

test('the Terraform is valid', async () => {
  const { resource, import: imports } = await parse('credentials.tf', TERRAFORM)
  expect(resource.azurerm_federated_identity_credential.wimds).toHaveLength(1)
  expect(imports).toHaveLength(1)
})

test('the Bicep is valid', async () => {
  await Parser.init()
  const parser = new Parser()
  parser.setLanguage(await Language.load(GRAMMAR))
  expect(parser.parse(BICEP)?.rootNode.hasError).toBe(false)
})

test.each([
  ['plan', PLAN],
  ['identity', PLAN.identities[0]],
  ['credential', PLAN.identities[0].credentials[0]],
])('both read members that a %s has', (name, value) => {
  // Added by the files themselves, and the name of the plan's file.
  const own = new Set(['path', 'identity', 'json'])
  const used = `${BICEP}${TERRAFORM}`.matchAll(
    new RegExp(`(?<![.\\w/])(?:local\\.)?${name}\\.(\\w+)`, 'g'),
  )
  const members = [...used].flatMap(([, member = '']) => (own.has(member) ? [] : [member]))
  expect(members).not.toEqual([])
  for (const member of members) expect(value).toHaveProperty(member)
})
