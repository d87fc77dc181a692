/** Request parameters of all dialects: parsing, the api-version, and the identity and resource that they name. */
import { BrokerError } from '../../lib/errors.ts'
import type { Selector } from '../identities.ts'
import { isGuid } from '../../lib/grammars.ts'
import { printable } from '../../lib/printable.ts'
import { isResource } from '../../lib/resource.ts'

/** Decoded parameters by lower-case name; SDKs differ in case (R8). */
export type Parameters = ReadonlyMap<string, string>

/**
 * Parses a query string or a form, percent-encoded or not (R10). Throws `parameter_duplicate` for a name that is repeated, in
 * the same or another case, as the real IMDS does, and `request_malformed` for a broken encoding.
 */
export function parseParameters(text: string): Parameters {
  const parameters = new Map<string, string>()
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals)).toLowerCase()
    if (parameters.has(name)) {
      throw new BrokerError(
        'parameter_duplicate',
        `Query variable '${printable(name, 40)}' is repeated`,
        'send it once',
      )
    }
    parameters.set(name, equals < 0 ? '' : decode(pair.slice(equals + 1)))
  }
  return parameters
}

/** The parameter names of each selector, in lower case (R8). */
const SELECTORS = [
  ['clientId', ['client_id', 'clientid']],
  ['objectId', ['object_id', 'objectid', 'principal_id', 'principalid']],
  ['resourceId', ['msi_res_id', 'mi_res_id', 'msi-res-id']],
] as const

/**
 * Returns the identity selector. An empty parameter counts as absent: Prometheus, VictoriaMetrics and azidentity send
 * `client_id=` when no client id is set (R8). Throws `selector_invalid` for two different selectors, and for a client or object
 * id that is not a GUID.
 */
export function parseSelector(parameters: Parameters): Selector {
  let selector: Selector = { by: 'default' }
  for (const [by, names] of SELECTORS) {
    for (const name of names) {
      const value = parameters.get(name) ?? ''
      if (value === '' || (selector.by === by && selector.value === value)) continue
      if (selector.by !== 'default') {
        throw new BrokerError(
          'selector_invalid',
          `Only one of client_id, object_id and msi_res_id may be given, not '${printable(selector.value)}' and '${printable(value)}'`,
          'send one of them',
        )
      }
      if (by !== 'resourceId' && !isGuid(value)) {
        throw new BrokerError(
          'selector_invalid',
          `Query variable '${name}' is not a GUID: '${printable(value, 40)}'`,
          'send an id of the identity, or none of these variables for the default one',
        )
      }
      selector = { by, value }
    }
  }
  return selector
}

/** Returns the resource exactly as sent. Throws `resource_missing` or `resource_invalid`. */
export function parseResource(parameters: Parameters): string {
  const resource = parameters.get('resource')
  if (resource === undefined || resource === '') {
    throw new BrokerError(
      'resource_missing',
      "Required query variable 'resource' is missing",
      'add the resource, such as resource=https://vault.azure.net',
    )
  }
  if (!isResource(resource)) {
    throw new BrokerError(
      'resource_invalid',
      `Query variable 'resource' is not a URI or GUID of at most 2048 ASCII characters: '${printable(resource)}'`,
      'send one such as https://vault.azure.net, URL-encoded',
    )
  }
  return resource
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/

/** Throws `api_version_invalid` unless the version is a calendar date not before `first` (R9). */
export function requireApiVersion(parameters: Parameters, first: string): void {
  const version = parameters.get('api-version') ?? ''
  if (isApiVersion(version, first)) return
  const problem =
    version === ''
      ? "Required query variable 'api-version' is missing"
      : `Query variable 'api-version' must be a date from ${first} on, not '${printable(version, 40)}'`
  throw new BrokerError('api_version_invalid', problem, `add api-version=${first}`)
}

/** Returns true for a calendar date not before `first`. */
export function isApiVersion(version: string, first: string): boolean {
  const [, year, month, day] = DATE.exec(version) ?? []
  if (version < first || day === undefined) return false
  // Day 0 of the next month is the last day of this one.
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  return Number(month) >= 1 && Number(month) <= 12 && day >= '01' && Number(day) <= lastDay
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new BrokerError(
      'request_malformed',
      `'${printable(text, 40)}' is not percent-encoded correctly`,
      'write a % as %25',
    )
  }
}
