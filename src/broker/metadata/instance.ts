/** GET /metadata/instance: a static document; the path's segments are the keys of its tree. */
import { createJsonReply, type Reply } from '../dialects/dialect.ts'
import { BrokerError } from '../../lib/errors.ts'

export type InstanceDocument = Readonly<Record<string, unknown>>

/**
 * Returns the document of WIMDS_INSTANCE, with the `azEnvironment` of the cloud if its `compute` has none. Without the setting
 * there is no document: programs that detect Azure prefer each leaf, even an empty one, to what they know themselves.
 */
export function completeInstance(
  document: InstanceDocument | undefined,
  azEnvironment: string | undefined,
): InstanceDocument | undefined {
  const compute = document?.['compute']
  if (!isBranch(compute) || azEnvironment === undefined) return document
  return { ...document, compute: { azEnvironment, ...compute } }
}

/** The first api-version of each leaf of `compute` (R23). Every api-version has the leaves that are not listed. */
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

/** Returns the document of an api-version, since old clients fail at leaves of a later version. */
export function selectInstanceVersion(
  document: InstanceDocument | undefined,
  version: string,
): InstanceDocument | undefined {
  const compute = document?.['compute']
  if (!isBranch(compute)) return document
  const leaves = Object.entries(compute).filter(([name]) => version >= (SINCE.get(name) ?? ''))
  return { ...document, compute: Object.fromEntries(leaves) }
}

/**
 * Returns the part of the document under `segments`. A branch is JSON, or with `format=text` the list of its names. A leaf
 * requires `format=text`. Throws `not_found` for a part that the document does not have, and `request_malformed` for a leaf as
 * JSON. For JSON without a document it throws `instance_not_configured`, a 403: MSAL for .NET asks for `compute` before its
 * first token, and would retry a 404 for 25 s.
 */
export function findInstancePart(
  document: InstanceDocument | undefined,
  segments: readonly string[],
  isText: boolean,
): Reply {
  const value = segments.reduce<unknown>(findChild, document)
  if (document === undefined && !isText) {
    throw new BrokerError(
      'instance_not_configured',
      'No instance document is configured',
      'set WIMDS_INSTANCE',
    )
  }
  if (value === undefined) {
    throw new BrokerError('not_found', 'The requested metadata does not exist')
  }
  if (isBranch(value)) {
    return isText ? toTextReply(formatNames(value)) : createJsonReply(200, value)
  }
  if (!isText) {
    throw new BrokerError('request_malformed', 'A single value needs format=text')
  }
  if (value === null) return toTextReply('')
  return toTextReply(typeof value === 'string' ? value : JSON.stringify(value))
}

export function toTextReply(body: string, status = 200): Reply {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body }
}

function isBranch(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Finds a child by its name, in upper or lower case; undefined if the value has no such child. */
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
