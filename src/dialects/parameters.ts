/** Request parameters of all dialects: how they are read and what identity they select. */
import { BrokerError } from '../errors.ts'
import { isGuid } from '../lib/guid.ts'
import { isResource } from '../resource.ts'
import type { Selector } from '../identities.ts'

/** Decoded parameters by lower-case name; SDKs differ in the case they write (R8). */
export type Parameters = ReadonlyMap<string, string>

/**
 * Parses a query string or a form. Values need not be percent-encoded (R10). Throws
 * `parameter_duplicate` for a name given twice, whatever its case, as the real IMDS refuses it, and
 * `request_malformed` for a broken percent-encoding.
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
        `Query variable '${printable(name)}' is repeated`,
      )
    }
    parameters.set(name, equals < 0 ? '' : decode(pair.slice(equals + 1)))
  }
  return parameters
}

/** The names under which SDKs send each kind of selector, in lower case (R8). */
const SELECTORS = [
  ['clientId', ['client_id', 'clientid']],
  ['objectId', ['object_id', 'objectid', 'principal_id', 'principalid']],
  ['resourceId', ['msi_res_id', 'mi_res_id', 'msi-res-id']],
] as const

/**
 * The identity that the parameters select. Throws `selector_invalid` for more than one and for a
 * client or object id that is no GUID. `isEmptyNone`: an empty selector counts as none.
 */
export function selectorOf(parameters: Parameters, { isEmptyNone = false } = {}): Selector {
  let selector: Selector = { by: 'default' }
  for (const [by, names] of SELECTORS) {
    for (const name of names) {
      const value = parameters.get(name)
      if (value === undefined || (isEmptyNone && value === '')) continue
      if (selector.by !== 'default') {
        throw new BrokerError(
          'selector_invalid',
          'Only one of client_id, object_id and msi_res_id may be given',
        )
      }
      if (value === '' || (by !== 'resourceId' && !isGuid(value))) {
        throw new BrokerError('selector_invalid', `Query variable '${name}' is not valid`)
      }
      selector = { by, value }
    }
  }
  return selector
}

/** The resource, exactly as sent. Throws `resource_missing` or `resource_invalid`. */
export function resourceOf(parameters: Parameters): string {
  const resource = parameters.get('resource')
  if (resource === undefined || resource === '') {
    throw new BrokerError('resource_missing', "Required query variable 'resource' is missing")
  }
  if (!isResource(resource)) {
    throw new BrokerError('resource_invalid', "Query variable 'resource' is not valid")
  }
  return resource
}

/** A parameter's name as an error may repeat it. */
function printable(name: string): string {
  return name.slice(0, 40).replace(/[^\w.-]/g, '?')
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new BrokerError('request_malformed', 'A query variable is not encoded correctly')
  }
}
