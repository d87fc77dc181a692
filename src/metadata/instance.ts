/** GET /metadata/instance: a static document whose path segments walk its tree (IMDS docs). */
import { BrokerError } from '../errors.ts'

export type InstanceDocument = Readonly<Record<string, unknown>>

/** The document of a pod: nothing is known of the machine, so most values are empty. */
export const DEFAULT_INSTANCE: InstanceDocument = {
  compute: {
    azEnvironment: 'AzurePublicCloud',
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

interface InstanceReply {
  readonly contentType: 'application/json; charset=utf-8' | 'text/plain; charset=utf-8'
  readonly body: string
}

/**
 * Returns the part of the document under `segments`: a branch as JSON, or as the list of its names with
 * `format=text`; a leaf only with `format=text`. Throws `not_found` for what the document does not have
 * and for an empty leaf, which region discovery would take for a region, and `request_malformed` for a
 * leaf as JSON.
 */
export function findInstancePart(
  document: InstanceDocument,
  segments: readonly string[],
  format: string | undefined,
): InstanceReply {
  const value = segments.reduce(findChild, document)
  if (value === undefined || value === '') {
    throw new BrokerError('not_found', 'The requested metadata does not exist')
  }
  const isText = format?.toLowerCase() === 'text'
  if (isBranch(value)) {
    return isText
      ? { contentType: 'text/plain; charset=utf-8', body: formatNames(value) }
      : { contentType: 'application/json; charset=utf-8', body: JSON.stringify(value) }
  }
  if (!isText) {
    throw new BrokerError('request_malformed', 'A single value must be asked for with format=text')
  }
  return {
    contentType: 'text/plain; charset=utf-8',
    body: typeof value === 'string' ? value : JSON.stringify(value),
  }
}

function isBranch(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Finds a child by its name in any case; undefined if the value has none of that name. */
function findChild(value: unknown, name: string): unknown {
  if (!isBranch(value)) return undefined
  const child = Object.entries(value).find(([key]) => key.toLowerCase() === name.toLowerCase())
  return child?.[1]
}

/** Lists the names as the real service does: with a slash after those of branches. */
function formatNames(branch: object): string {
  return Object.entries(branch)
    .map(([name, value]) => (isBranch(value) ? `${name}/` : name))
    .join('\n')
}
