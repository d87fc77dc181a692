/** GET /metadata/instance: a static document, walked by path as the real service does. */
import { BrokerError } from '../errors.ts'

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue }

/** What is known of a pod: nothing of the machine below it. Absent values are empty (IMDS docs). */
export const DEFAULT_INSTANCE: JsonValue = {
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

interface InstanceAnswer {
  readonly contentType: 'application/json; charset=utf-8' | 'text/plain; charset=utf-8'
  readonly body: string
}

/**
 * The part of the document under `segments`. A branch is JSON, or with `format=text` the list of
 * its names; a leaf must be asked for with `format=text`. Throws `not_found` for what the document
 * does not have (an empty leaf too: region discovery must not take it for a region), and
 * `request_malformed` for a leaf asked for as JSON.
 */
export function instanceAnswer(
  document: JsonValue,
  segments: readonly string[],
  format: string | undefined,
): InstanceAnswer {
  let value: JsonValue | undefined = document
  for (const segment of segments) value = childOf(value, segment)
  if (value === undefined || value === '') {
    throw new BrokerError('not_found', 'The requested metadata does not exist')
  }
  const isText = format?.toLowerCase() === 'text'
  if (isBranch(value)) {
    return isText
      ? { contentType: 'text/plain; charset=utf-8', body: listing(value) }
      : { contentType: 'application/json; charset=utf-8', body: JSON.stringify(value) }
  }
  if (!isText) {
    throw new BrokerError('request_malformed', 'A single value must be asked for with format=text')
  }
  return { contentType: 'text/plain; charset=utf-8', body: String(value) }
}

type Branch = readonly JsonValue[] | { readonly [name: string]: JsonValue }

function isBranch(value: JsonValue): value is Branch {
  return typeof value === 'object' && value !== null
}

function childOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (value === undefined || !isBranch(value)) return undefined
  const key = Object.keys(value).find((own) => own.toLowerCase() === name.toLowerCase())
  return key === undefined ? undefined : Object.entries(value).find(([own]) => own === key)?.[1]
}

/** As the real service lists: a slash behind what can be walked on. */
function listing(branch: Branch): string {
  return Object.entries(branch)
    .map(([name, value]: [string, JsonValue]) => (isBranch(value) ? `${name}/` : name))
    .join('\n')
}
