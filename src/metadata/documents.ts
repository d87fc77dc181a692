/** The IMDS documents beside tokens: instance, versions, identity/info and scheduledevents. */
import type { Reply, WireRequest } from '../dialects/dialect.ts'
import { isApiVersion, requireMetadataHeader } from '../dialects/imds.ts'
import { type Parameters, parseParameters } from '../dialects/parameters.ts'
import { BrokerError, type ErrorCode } from '../errors.ts'
import { instanceAnswer, type JsonValue } from './instance.ts'
import { API_VERSIONS, FIRST_API_VERSION, NEWEST_API_VERSIONS } from './versions.ts'

interface DocumentsOptions {
  readonly instance: JsonValue
  /** Tenant of the default identity, for `identity/info`. */
  readonly tenantId: string
}

/** One document: where it is and how a request for it is answered. */
export interface MetadataDocument {
  /** Ends in `/*` where what follows is part of the request. */
  readonly path: string
  /** `rest` is what followed. Throws `BrokerError`s. */
  readonly answer: (request: WireRequest, rest: string) => Reply
}

/** The first version of `/metadata/identity/info`. */
const FIRST_INFO_VERSION = '2018-02-01'

/** All documents. An instance is walked as `instanceAnswer` says; the others are the same for everybody. */
export function metadataDocuments({ instance, tenantId }: DocumentsOptions): MetadataDocument[] {
  const answerInstance = (request: WireRequest, rest: string): Reply => {
    const parameters = checked(request, FIRST_API_VERSION)
    const segments = rest.split('/').filter((segment) => segment !== '')
    const { body, contentType } = instanceAnswer(instance, segments, parameters.get('format'))
    return { status: 200, headers: { 'Content-Type': contentType }, body }
  }
  return [
    { path: '/metadata/instance', answer: answerInstance },
    { path: '/metadata/instance/*', answer: answerInstance },
    {
      path: '/metadata/versions',
      answer(request) {
        requireMetadataHeader(request)
        return json({ apiVersions: API_VERSIONS })
      },
    },
    {
      path: '/metadata/identity/info',
      answer(request) {
        checked(request, FIRST_INFO_VERSION)
        return json({ tenantId })
      },
    },
    {
      path: '/metadata/scheduledevents',
      answer(request) {
        checked(request, FIRST_API_VERSION)
        return json({ DocumentIncarnation: 1, Events: [] })
      },
    },
  ]
}

/** Errors of the instance family have one sentence and no description (R23). */
export function renderDocumentError(error: BrokerError): Reply {
  const body =
    error.code === 'api_version_invalid'
      ? { error: error.message, 'newest-versions': NEWEST_API_VERSIONS }
      : { error: SENTENCES[error.code] ?? `Bad request. ${error.message}` }
  return { status: error.status, body: JSON.stringify(body) }
}

const SENTENCES: Partial<Record<ErrorCode, string>> = {
  not_found: 'Not found',
  method_not_allowed: 'Method not allowed',
  internal: 'Internal server error',
}

function checked(request: WireRequest, first: string): Parameters {
  requireMetadataHeader(request)
  const parameters = parseParameters(request.query)
  if (!isApiVersion(parameters.get('api-version') ?? '', first)) {
    throw new BrokerError(
      'api_version_invalid',
      'Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds',
    )
  }
  return parameters
}

function json(value: object): Reply {
  return { status: 200, body: JSON.stringify(value) }
}
