import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  parseParameters,
  parseResource,
  parseSelector,
} from '../../../src/broker/dialects/parameters.ts'
import { thrownCode } from './thrown-code.ts'

const GUID = '11111111-1111-4111-8111-111111111111'

test.each([
  ['a=1&b=2', { a: '1', b: '2' }],
  ['&&a=1&', { a: '1' }],
  ['a', { a: '' }],
  ['A%42=1', { ab: '1' }],
  ['resource=https%3A%2F%2Fvault.azure.net%2f', { resource: 'https://vault.azure.net/' }],
  ['a=b=c?d=e', { a: 'b=c?d=e' }],
  ['a=b+c%2Bd', { a: 'b c+d' }],
  ['__proto__=x&constructor=y', { ['__proto__']: 'x', constructor: 'y' }],
])('parses %j', (text, expected) => {
  expect([...parseParameters(text)]).toEqual(Object.entries(expected))
})

test.each(['a=%', '%ff=1'])('rejects the broken encoding %s', (text) => {
  expect(thrownCode(() => parseParameters(text))).toBe('request_malformed')
})

test('bounds and sanitizes a repeated name in the message', () => {
  const name = `<b>${'x-y '.repeat(30)}`
  expect(() => parseParameters(`${name}=1&${name}=2`)).toThrow(
    `Query variable '?b?${'x-y?'.repeat(10).slice(0, 37)}' is repeated`,
  )
})

const hex = (text: string) => `%${text.charCodeAt(0).toString(16)}`

test('rejects a repeated name in any case and encoding', () => {
  const name = fc.stringMatching(/^[a-z_-]{1,12}$/)
  const spelling = fc.constantFrom(
    (text: string) => text,
    (text: string) => text.toUpperCase(),
    (text: string) => text.replace(/./, hex),
  )
  const others = fc.array(fc.stringMatching(/^[0-9]{1,4}=[a-z]*$/), { maxLength: 3 })
  fc.assert(
    fc.property(name, spelling, spelling, others, (text, one, other, between) => {
      const query = [`${one(text)}=1`, ...new Set(between), `${other(text)}=2`].join('&')
      expect(thrownCode(() => parseParameters(query))).toBe('parameter_duplicate')
    }),
  )
})

test.each([
  ['client_id', 'clientId'],
  ['clientid', 'clientId'],
  ['object_id', 'objectId'],
  ['principal_id', 'objectId'],
  ['principalId', 'objectId'],
  ['msi_res_id', 'resourceId'],
  ['mi_res_id', 'resourceId'],
  ['msi-res-id', 'resourceId'],
])('parses %s as the selector by %s', (name, by) => {
  expect(parseSelector(parseParameters(`${name}=${GUID}`))).toEqual({ by, value: GUID })
})

test.each([
  'client_id=orders',
  'object_id=me',
  `client_id=${GUID}&object_id=${GUID}`,
  `client_id=${GUID}&clientid=${GUID.replace('1', '2')}`,
  `msi_res_id=a&mi_res_id=b`,
])('rejects the selector %s', (text) => {
  expect(thrownCode(() => parseSelector(parseParameters(text)))).toBe('selector_invalid')
})

test.each([
  ['client_id=&principal_id=&mi_res_id=&msi_res_id=', { by: 'default' }],
  [`client_id=&clientid=${GUID}`, { by: 'clientId', value: GUID }],
  [`client_id=${GUID}&clientid=${GUID}`, { by: 'clientId', value: GUID }],
])('ignores empty and repeated selectors of %s', (text, selector) => {
  expect(parseSelector(parseParameters(text))).toEqual(selector)
})

test.each(['https://management.azure.com//.default', GUID, 'x'.repeat(2048)])(
  'returns the resource %s unchanged',
  (resource) => {
    expect(parseResource(new Map([['resource', resource]]))).toBe(resource)
  },
)

test.each([
  ['x'.repeat(2049), 'resource_invalid'],
  ['https://vault.azure.net https://x', 'resource_invalid'],
  ['https://bücher.example', 'resource_invalid'],
  ['a\u0000', 'resource_invalid'],
  ['', 'resource_missing'],
])('rejects the resource %j', (resource, code) => {
  expect(thrownCode(() => parseResource(new Map([['resource', resource]])))).toBe(code)
})
