import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { Language, type Node, Parser } from 'web-tree-sitter'
import { formatBicep } from '../../../../src/tools/trust/output/bicep.ts'
import { BILLING, credential, identity, ISSUER, ORDERS_ID, planWith } from '../fixtures.ts'
import { hostilePlan, type HostileText } from './hostile.ts'

const GRAMMAR = fileURLToPath(import.meta.resolve('tree-sitter-bicep/tree-sitter-bicep.wasm'))
let parser: Parser

beforeAll(async () => {
  await Parser.init()
  parser = new Parser()
  parser.setLanguage(await Language.load(GRAMMAR))
})

/** Parses the file by the grammar of Bicep. */
function parseBicep(text: string): Node {
  const root = parser.parse(text)?.rootNode
  if (root === undefined || root.hasError) throw new Error(`not Bicep:\n${text}`)
  return root
}

/** Returns the literals of the file, unescaped. */
function strings(root: Node): string[] {
  return root.descendantsOfType('string').map((node) => unescape(node.text.slice(1, -1)))
}

test('is Bicep, with the credentials of an identity in one loop', () => {
  const credentials = [credential(), credential({ name: 'wimds-other' })]
  const text = formatBicep(planWith(identity({ id: ORDERS_ID, credentials })))
  const root = parseBicep(text)
  expect(root.descendantsOfType('resource_declaration')).toHaveLength(2)
  expect(root.descendantsOfType('decorator').map((node) => node.text)).toEqual(['@batchSize(1)'])
  expect(strings(root)).toEqual([
    'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31',
    'orders',
    'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31',
    'wimds-shop-orders-0a1b2c3d',
    ISSUER,
    'system:serviceaccount:shop:orders',
    'api://AzureADTokenExchange',
    'wimds-other',
    ISSUER,
    'system:serviceaccount:shop:orders',
    'api://AzureADTokenExchange',
  ])
})

test('has a parameter for the name of an identity that is not known', () => {
  const root = parseBicep(formatBicep(planWith(identity())))
  expect(root.descendantsOfType('parameter_declaration').map((node) => node.text)).toEqual([
    expect.stringContaining('param identity_11111111_name string'),
  ])
})

test('rejects identities of several resource groups', () => {
  const plan = planWith(
    identity({ id: ORDERS_ID }),
    identity({ clientId: BILLING, id: { ...ORDERS_ID, resourceGroup: 'finance' } }),
  )
  expect(() => formatBicep(plan)).toThrow(/shop, finance.*--resource-group/)
})

test('leaves out applications and identities over the limit', () => {
  const text = formatBicep(
    planWith(identity({}, 'application'), identity({ clientId: BILLING, isOverLimit: true })),
  )
  expect(parseBicep(text).descendantsOfType('resource_declaration')).toEqual([])
})

test('keeps any text in its literal', () => {
  fc.assert(
    fc.property(hostilePlan.filter(isReadByGrammar), ({ text, plan }) => {
      const root = parseBicep(formatBicep(plan))
      expect(root.descendantsOfType('interpolation')).toEqual([])
      expect(root.descendantsOfType('resource_declaration')).toHaveLength(2)
      const { name, credentialName, issuer, subject, audience } = text
      const found = strings(root)
      expect(found[1]).toBe(name)
      expect(found.slice(3)).toEqual([credentialName, issuer, subject, audience])
    }),
    { numRuns: 200 },
  )
})

/**
 * The grammar, unlike the compiler, takes slashes in a literal for a comment, and a comment that ends with a
 * backslash to go on in the next line.
 */
function isReadByGrammar({ text }: { readonly text: HostileText }): boolean {
  return (
    !Object.values(text).some((value) => /\/[/*]/.test(value)) &&
    !/\\/.test(text.source + text.name)
  )
}

function unescape(text: string): string {
  return text.replaceAll(/\\(?:u\{([0-9a-f]+)\}|(.))/gsu, (_, code?: string, sign?: string) =>
    code === undefined ? (sign ?? '') : String.fromCodePoint(Number.parseInt(code, 16)),
  )
}
