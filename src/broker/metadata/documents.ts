/** The IMDS documents other than tokens: instance, versions, identity/info and scheduledevents. */
import {
  createJsonReply,
  formatDescription,
  type Reply,
  requireMetadataHeader,
  type WireRequest,
} from '../dialects/dialect.ts'
import { isApiVersion, type Parameters, parseParameters } from '../dialects/parameters.ts'
import { BrokerError, type ErrorCode } from '../../lib/errors.ts'
import {
  findInstancePart,
  type InstanceDocument,
  selectInstanceVersion,
  toTextReply,
} from './instance.ts'

/** The inputs of a document, besides the query and the headers of its request. */
interface DocumentContext {
  readonly rest: string
  readonly tenantId: string
  readonly instance: InstanceDocument | undefined
}

export interface MetadataDocument {
  /** Ends with `/*` if the rest of the path is part of the request. */
  readonly path: string
  readonly answer: (request: WireRequest, context: DocumentContext) => Reply
}

export const METADATA_DOCUMENTS: readonly MetadataDocument[] = [
  { path: '/metadata/instance', answer: answerInstance },
  { path: '/metadata/instance/*', answer: answerInstance },
  {
    path: '/metadata/versions',
    answer(request) {
      requireMetadataHeader(request)
      return createJsonReply(200, { apiVersions: API_VERSIONS })
    },
  },
  {
    path: '/metadata/identity/info',
    answer(request, { tenantId }) {
      parseRequest(request, FIRST_INFO_VERSION)
      return createJsonReply(200, { tenantId })
    },
  },
  {
    path: '/metadata/scheduledevents',
    answer(request) {
      parseRequest(request, FIRST_API_VERSION)
      return createJsonReply(200, { DocumentIncarnation: 1, Events: [] })
    },
  },
]

function answerInstance(request: WireRequest, { rest, instance }: DocumentContext): Reply {
  const parameters = parseRequest(request, FIRST_API_VERSION)
  const segments = rest.split('/').filter((segment) => segment !== '')
  const document = selectInstanceVersion(instance, parameters.get('api-version') ?? '')
  return findInstancePart(document, segments, isTextFormat(parameters))
}

const isTextFormat = (parameters: Parameters): boolean =>
  parameters.get('format')?.toLowerCase() === 'text'

/**
 * Renders an error of the instance family: one sentence and no description. A 404 has no body if the request has `format=text`:
 * scripts and lego take the body for the value. Clients that discover their region check the status (R23).
 */
export function renderDocumentError(error: BrokerError, request: WireRequest): Reply {
  if (error.code === 'not_found' && isTextFormat(parseParameters(request.query))) {
    return toTextReply('', 404)
  }
  const body =
    error.code === 'api_version_invalid'
      ? { error: error.message, 'newest-versions': API_VERSIONS.slice(-3).toReversed() }
      : { error: SENTENCES[error.code] ?? `${formatKind(error)}. ${formatDescription(error)}` }
  return createJsonReply(error.status, body)
}

const formatKind = ({ status }: BrokerError) => (status === 403 ? 'Forbidden' : 'Bad request')

const SENTENCES: Partial<Record<ErrorCode, string>> = {
  not_found: 'Not found',
  internal: 'Internal server error',
}

function parseRequest(request: WireRequest, firstVersion: string): Parameters {
  requireMetadataHeader(request)
  const parameters = parseParameters(request.query)
  if (!isApiVersion(parameters.get('api-version') ?? '', firstVersion)) {
    throw new BrokerError(
      'api_version_invalid',
      'Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds',
    )
  }
  return parameters
}

const FIRST_INFO_VERSION = '2018-02-01'

/** The api-versions of the instance family, as the real service lists them (R23). */
const API_VERSIONS = [
  '2017-03-01',
  '2017-04-02',
  '2017-08-01',
  '2017-10-01',
  '2017-12-01',
  '2018-02-01',
  '2018-04-02',
  '2018-10-01',
  '2019-02-01',
  '2019-03-11',
  '2019-04-30',
  '2019-06-01',
  '2019-06-04',
  '2019-08-01',
  '2019-08-15',
  '2019-11-01',
  '2020-06-01',
  '2020-07-15',
  '2020-09-01',
  '2020-10-01',
  '2020-12-01',
  '2021-01-01',
  '2021-02-01',
  '2021-03-01',
  '2021-05-01',
  '2021-08-01',
  '2021-10-01',
  '2021-11-01',
  '2021-11-15',
  '2021-12-13',
  '2023-07-01',
  '2023-11-15',
  '2024-03-15',
  '2024-07-17',
  '2025-04-07',
] as const

/** Every date from the first version on is accepted. */
const FIRST_API_VERSION = API_VERSIONS[0]
