import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatTerraform } from '../../../../src/tools/trust/output/terraform.ts'
import { formatManagedIdentityId } from '../../../../src/lib/managed-identity.ts'
import {
  AUDIENCE,
  BILLING,
  credential,
  identity,
  ISSUER,
  ORDERS,
  ORDERS_ID,
  planWith,
} from '../fixtures.ts'
import { hostilePlan } from './hostile.ts'

const RESOURCE_ID = formatManagedIdentityId(ORDERS_ID)
const MANAGED = 'azurerm_federated_identity_credential'

// Its declarations would bring the types of the DOM.
const require = createRequire(import.meta.url)
const { parse } = require('@cdktn/hcl2json')

/** Parses with HashiCorp's own parser. Strings are templates: `$${` stands for `${`. */
const parseHcl = async (text: string) => parse('credentials.tf', text)

test('has the arguments of the resources of azurerm 4.65 and 5', async () => {
  expect(await parseHcl(formatTerraform(planWith(identity({ id: ORDERS_ID }))))).toEqual({
    resource: {
      [MANAGED]: {
        orders: [
          {
            for_each: {
              'wimds-shop-orders-0a1b2c3d': {
                issuer: ISSUER,
                subject: 'system:serviceaccount:shop:orders',
                audience: AUDIENCE,
              },
            },
            name: '${each.key}',
            user_assigned_identity_id: RESOURCE_ID,
            issuer: '${each.value.issuer}',
            subject: '${each.value.subject}',
            audience: ['${each.value.audience}'],
          },
        ],
      },
    },
  })
})

test('declares a variable for an identity that is not known', async () => {
  const { variable, resource } = await parseHcl(formatTerraform(planWith(identity())))
  expect(variable).toEqual({
    identity_11111111_id: [{ description: expect.stringContaining(ORDERS), type: '${string}' }],
  })
  expect(resource[MANAGED].identity_11111111[0].user_assigned_identity_id).toBe(
    '${var.identity_11111111_id}',
  )
})

test('imports credentials that exist', async () => {
  const credentials = [
    credential({ name: 'by-hand', state: 'present' }),
    credential({ name: 'other', state: 'different' }),
    credential({ name: 'wimds-new', state: 'missing' }),
  ]
  const text = formatTerraform(planWith(identity({ id: ORDERS_ID, credentials })))
  expect((await parseHcl(text)).import).toEqual(
    ['by-hand', 'other'].map((name) => ({
      to: `\${${MANAGED}.orders["${name}"]}`,
      id: `${RESOURCE_ID}/federatedIdentityCredentials/${name}`,
    })),
  )
})

test('has the resources of azuread for an application', async () => {
  const { data, resource } = await parseHcl(formatTerraform(planWith(identity({}, 'application'))))
  expect(data).toEqual({ azuread_application: { identity_11111111: [{ client_id: ORDERS }] } })
  expect(resource).toEqual({
    azuread_application_federated_identity_credential: {
      identity_11111111: [
        {
          for_each: expect.objectContaining({ 'wimds-shop-orders-0a1b2c3d': expect.anything() }),
          application_id: '${data.azuread_application.identity_11111111.id}',
          display_name: '${each.key}',
          issuer: '${each.value.issuer}',
          subject: '${each.value.subject}',
          audiences: ['${each.value.audience}'],
        },
      ],
    },
  })
})

test('gives identities of one name symbols of their own', async () => {
  const other = { ...ORDERS_ID, resourceGroup: 'other' }
  const plan = planWith(identity({ id: ORDERS_ID }), identity({ clientId: BILLING, id: other }))
  const { resource } = await parseHcl(formatTerraform(plan))
  expect(Object.keys(resource[MANAGED])).toEqual([
    'orders_11111111_1111_4111_8111_111111111111',
    'orders_44444444_4444_4444_8444_444444444444',
  ])
})

test('keeps any text in its literal', async () => {
  await fc.assert(
    fc.asyncProperty(hostilePlan, async ({ text, plan }) => {
      const { resource, ...rest } = await parseHcl(formatTerraform(plan))
      expect(rest).toEqual({})
      const [symbol = ''] = Object.keys(resource[MANAGED])
      const [block] = resource[MANAGED][symbol]
      expect(block.for_each).toEqual({
        [toTemplate(text.credentialName)]: {
          issuer: toTemplate(text.issuer),
          subject: toTemplate(text.subject),
          audience: toTemplate(text.audience),
        },
      })
      expect(block.user_assigned_identity_id).toBe(
        toTemplate(
          formatManagedIdentityId({ ...ORDERS_ID, resourceGroup: text.group, name: text.name }),
        ),
      )
    }),
    { numRuns: 100 },
  )
})

const hasTerraform = spawnSync('terraform', ['version']).status === 0

test.skipIf(!hasTerraform)('is formatted as terraform fmt does', () => {
  const credentials = [credential({ state: 'present' }), credential({ name: 'wimds-other' })]
  const text = formatTerraform(
    planWith(
      identity({ id: ORDERS_ID, credentials }),
      identity({ clientId: BILLING, credentials }, 'application'),
      identity({ clientId: BILLING.replace('4', '5') }),
    ),
  )
  const { status, stdout } = spawnSync('terraform', ['fmt', '-check', '-diff', '-'], {
    input: text,
    encoding: 'utf8',
  })
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
})

/** Returns the text as a template that stands for it. HCL normalizes Unicode. */
function toTemplate(text: string): string {
  return text.normalize('NFC').replaceAll(/[$%](?=\{)/g, (sign) => sign + sign)
}
