/** GET /metadata/instance: a static document; the path's segments are the keys of its tree. */
import { createJsonReply, type Reply } from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'

export type InstanceDocument = Readonly<Record<string, unknown>>

/**
 * Creates the document of a pod: nothing is known of the machine, so most values are empty. Clients choose the endpoints
 * of the cloud by `azEnvironment`.
 */
export function createDefaultInstance(azEnvironment: string): InstanceDocument {
  return {
    compute: {
      azEnvironment,
      location: '',
      name: '',
      osType: 'Linux',
      provider: 'Microsoft.Compute',
      resourceGroupName: '',
      resourceId: '',
      subscriptionId: '',
      tags: '',
      tagsList: [],
      vmId: '',
      vmScaleSetName: '',
      vmSize: '',
      zone: '',
    },
    network: { interface: [] },
  }
}

/** Returns the document with the defaults in place of what its `compute` lacks or has empty. */
export function withInstanceDefaults(
  document: InstanceDocument,
  defaults: Readonly<Record<string, string | undefined>>,
): InstanceDocument {
  const { compute = {} } = document
  if (!isBranch(compute)) return document
  const present = Object.entries(compute).filter(([, value]) => !isEmpty(value))
  const given = Object.entries(defaults).filter(([, value]) => value !== undefined)
  if (given.length === 0) return document
  return {
    ...document,
    compute: { ...compute, ...Object.fromEntries(given), ...Object.fromEntries(present) },
  }
}

/** The api-versions since which leaves of `compute` exist (R23); those not listed always did. */
const SINCE = new Map([
  ['resourceGroupName', '2017-08-01'],
  ['subscriptionId', '2017-08-01'],
  ['tags', '2017-08-01'],
  ['vmScaleSetName', '2017-12-01'],
  ['zone', '2017-12-01'],
  ['azEnvironment', '2018-10-01'],
  ['provider', '2018-10-01'],
  ['resourceId', '2019-03-11'],
  ['tagsList', '2019-06-04'],
])

/** Returns the document of an api-version: old clients fail at leaves of a later one. */
export function selectInstanceVersion(
  document: InstanceDocument,
  version: string,
): InstanceDocument {
  const { compute } = document
  if (!isBranch(compute)) return document
  const leaves = Object.entries(compute).filter(([name]) => version >= (SINCE.get(name) ?? ''))
  return { ...document, compute: Object.fromEntries(leaves) }
}

/**
 * Returns the part of the document under `segments`: a branch as JSON, or as the list of its names with
 * `format=text`; a leaf only with `format=text`. Throws `not_found` for what the document does not have,
 * and `request_malformed` for a leaf as JSON.
 *
 * An empty leaf is an empty 200, since clients take a 404's body for the value. Only an empty
 * `compute/location` is a 404, without a body: clients that discover their region check the status.
 */
export function findInstancePart(
  document: InstanceDocument,
  segments: readonly string[],
  format: string | undefined,
): Reply {
  const value = segments.reduce<unknown>(findChild, document)
  const isText = format?.toLowerCase() === 'text'
  const isUnknownLocation = isEmpty(value) && LOCATION.test(segments.join('/'))
  if (isUnknownLocation && isText) return toTextReply('', 404)
  if (value === undefined || isUnknownLocation) {
    throw new BrokerError('not_found', 'The requested metadata does not exist')
  }
  if (isBranch(value)) {
    return isText ? toTextReply(formatNames(value)) : createJsonReply(200, value)
  }
  if (!isText) {
    throw new BrokerError('request_malformed', 'A single value needs format=text')
  }
  if (isEmpty(value)) return toTextReply('')
  return toTextReply(typeof value === 'string' ? value : JSON.stringify(value))
}

const LOCATION = /^compute\/location$/i

function toTextReply(body: string, status = 200): Reply {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body }
}

/** Returns true for an absent value, which IMDS documents as an empty text. */
function isEmpty(value: unknown): boolean {
  return value === '' || value === null
}

function isBranch(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Finds a child by its name in any case; undefined if the value has no such child. */
function findChild(value: unknown, name: string): unknown {
  if (!isBranch(value)) return undefined
  const child = Object.entries(value).find(([key]) => key.toLowerCase() === name.toLowerCase())
  return child?.[1]
}

/** Lists the names as the real service does: with a slash after the names of branches. */
function formatNames(branch: object): string {
  return Object.entries(branch)
    .map(([name, value]) => (isBranch(value) ? `${name}/` : name))
    .join('\n')
}
