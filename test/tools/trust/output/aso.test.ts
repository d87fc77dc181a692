import { Ajv } from 'ajv'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { formatManagedIdentityId } from '../../../../src/lib/managed-identity.ts'
import { formatAsoObjects } from '../../../../src/tools/trust/output/aso.ts'
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
import { CREDENTIAL_NAME } from '../../../fixtures/credential-name.ts'
import { hostilePlan } from './hostile.ts'

/** What version v1api20230131 of the operator's resource definition accepts, as far as it is used. */
const SCHEMA = {
  type: 'object',
  required: ['apiVersion', 'kind', 'metadata', 'spec'],
  additionalProperties: false,
  properties: {
    apiVersion: { const: 'managedidentity.azure.com/v1api20230131' },
    kind: { const: 'FederatedIdentityCredential' },
    metadata: {
      type: 'object',
      properties: { name: { type: 'string', pattern: '^[a-z0-9][a-z0-9.-]{0,252}$' } },
    },
    spec: {
      type: 'object',
      required: ['audiences', 'owner'],
      additionalProperties: false,
      properties: {
        audiences: { type: 'array', items: { type: 'string' } },
        azureName: { type: 'string', pattern: CREDENTIAL_NAME.source },
        issuer: { type: 'string' },
        subject: { type: 'string' },
        owner: {
          type: 'object',
          additionalProperties: false,
          properties: {
            armId: {
              type: 'string',
              pattern: '^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+/[^/]+/[^/]+$',
            },
          },
        },
      },
    },
  },
}

const parse = (text: string) => parseAllDocuments(text).map((document) => document.toJS())

test('returns objects that the resource definition accepts', () => {
  const [object, ...more] = parse(formatAsoObjects(planWith(identity({ id: ORDERS_ID }))))
  expect(more).toEqual([])
  const validate = new Ajv().compile(SCHEMA)
  expect({ isValid: validate(object), errors: validate.errors }).toEqual({
    isValid: true,
    errors: null,
  })
  expect(object.metadata.namespace).toBe('shop')
  expect(object.spec).toEqual({
    azureName: 'wimds-shop-orders-0a1b2c3d',
    owner: { armId: formatManagedIdentityId(ORDERS_ID) },
    issuer: ISSUER,
    subject: 'system:serviceaccount:shop:orders',
    audiences: [AUDIENCE],
  })
})

test('gives the credentials of two identities for one ServiceAccount two names', () => {
  const other = identity({ clientId: BILLING, id: { ...ORDERS_ID, name: 'billing' } })
  const objects = parse(formatAsoObjects(planWith(identity({ id: ORDERS_ID }), other)))
  expect(new Set(objects.map(({ metadata }) => metadata.name)).size).toBe(2)
})

test('has a variable for a resource id that is not known, and says how to fill it in', () => {
  const text = formatAsoObjects(planWith(identity()))
  const [object] = parse(text)
  const variable = `IDENTITY_${ORDERS.slice(0, 8)}_ID`
  expect(object.spec.owner).toEqual({ armId: `\${${variable}}` })
  expect(text).toContain(`#   ${variable}  the one with the client id ${ORDERS}\n`)
  expect(text).toContain('az identity list -o json')
  const filled = text.replace(`\${${variable}}`, formatManagedIdentityId(ORDERS_ID))
  expect(new Ajv().compile(SCHEMA)(parse(filled)[0])).toBe(true)
})

test('leaves out applications, which the operator does not have', () => {
  const text = formatAsoObjects(planWith(identity({ clientId: BILLING }, 'application')))
  expect(parse(text).filter(Boolean)).toEqual([])
})

test('keeps a text that the library would fold wrongly', () => {
  const audience = '\na" "a  \n"\raa\t\n\t\n \n\r\\\n\n'
  const planned = identity({ id: ORDERS_ID, credentials: [credential({ audience })] })
  expect(parse(formatAsoObjects(planWith(planned)))[0].spec.audiences).toEqual([audience])
})

test('keeps any text in its value', () => {
  fc.assert(
    fc.property(hostilePlan, ({ text, plan }) => {
      const objects = parse(formatAsoObjects(plan))
      expect(objects).toHaveLength(1)
      const { credentialName, issuer, subject, audience, name, group } = text
      expect(objects[0].spec).toEqual({
        azureName: credentialName,
        owner: { armId: formatManagedIdentityId({ ...ORDERS_ID, resourceGroup: group, name }) },
        issuer,
        subject,
        audiences: [audience],
      })
    }),
  )
})
