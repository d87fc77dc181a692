/**
 * The dialects of App Service at /msi/token: 2019-08-01, and 2017-09-01, which Azure ML speaks too
 * (R24). Both share the path and the secret; the header it comes in tells them apart.
 */
import { randomUUID } from 'node:crypto'
import type { BrokerError } from '../errors.ts'
import type { Secret } from '../secret.ts'
import { cloudShell } from './cloud-shell.ts'
import type { Dialect, Reply, TokenAnswer, TokenQuery, WireRequest } from './dialect.ts'
import { descriptionOf, oauthErrorOf } from './error-body.ts'
import { requireApiVersion } from './imds.ts'
import { parseParameters, resourceOf, selectorOf } from './parameters.ts'
import { requireSecretHeader } from './secret-header.ts'

const PATH = '/msi/token'
const HEADER_2019 = 'x-identity-header'
const HEADER_2017 = 'secret'

/** What is spoken at /msi/token for callers that know `secret`. */
export function appService(secret: Secret): Dialect[] {
  return [
    {
      name: 'app-service-2017',
      path: PATH,
      methods: ['GET'],
      matches: is2017,
      parse: (request) => parse(request, secret, HEADER_2017, '2017-09-01'),
      render: render2017,
      renderError: renderError2017,
    },
    // Azure SDKs for Java and old ones for Go, told MSI_ENDPOINT, speak Cloud Shell's protocol
    // whatever MSI_SECRET says. IMDS on the same port asks them for no more than they say here.
    { ...cloudShell, path: PATH, matches: isCloudShell },
    {
      name: 'app-service-2019',
      path: PATH,
      methods: ['GET'],
      parse: (request) => parse(request, secret, HEADER_2019, '2019-08-01'),
      render: (answer) => success(answer, String(answer.expiresOn)),
      renderError: renderError2019,
    },
  ]
}

function is2017({ headers, query }: WireRequest): boolean {
  const version = apiVersionIn(query)
  if (headers[HEADER_2019] !== undefined) return false
  return headers[HEADER_2017] !== undefined || version?.startsWith('2017') === true
}

function isCloudShell({ headers, query }: WireRequest): boolean {
  const hasSecret = headers[HEADER_2019] !== undefined || headers[HEADER_2017] !== undefined
  return !hasSecret && headers['metadata'] !== undefined && apiVersionIn(query) === undefined
}

/** The version as far as it tells protocols apart; whether it is a valid one is judged later. */
function apiVersionIn(query: string): string | undefined {
  return /(?:^|&)api-version=([^&]*)/i.exec(query)?.[1]
}

function parse(request: WireRequest, secret: Secret, header: string, first: string): TokenQuery {
  requireSecretHeader(request.headers, header, secret)
  const parameters = parseParameters(request.query)
  requireApiVersion(parameters.get('api-version'), first)
  return {
    resource: resourceOf(parameters),
    // The Go SDK sends `clientid=` to Azure ML when no client id is set.
    selector: selectorOf(parameters, { isEmptyNone: true }),
  }
}

function success({ query, identity, token }: TokenAnswer, expiresOn: string): Reply {
  return {
    status: 200,
    body: JSON.stringify({
      access_token: token.secret.reveal(),
      client_id: identity.clientId,
      expires_on: expiresOn,
      resource: query.resource,
      token_type: 'Bearer',
    }),
  }
}

/** Clients that take only the date which the real service writes; all others take epoch seconds. */
const READS_DATES = /azsdk-python-identity\/1\.(?:[4-9]|1[0-4])\.|azsdk-js-identity\/[12]\./

function render2017(answer: TokenAnswer, { headers }: WireRequest): Reply {
  const isDate = READS_DATES.test(headers['user-agent'] ?? '')
  return success(answer, isDate ? dateOf(answer.expiresOn) : String(answer.expiresOn))
}

/** `11/25/2026 13:31:39 +00:00`, as App Service on Linux writes it. */
function dateOf(epochSeconds: number): string {
  const [date = '', time = ''] = new Date(epochSeconds * 1000).toISOString().split('T')
  const [year = '', month = '', day = ''] = date.split('-')
  return `${month}/${day}/${year} ${time.slice(0, 8)} +00:00`
}

function renderError2019(error: BrokerError): Reply {
  return errorReply(error, {})
}

/** Old clients look for `ExceptionMessage`, whatever the status; Azure ML's for `message`. */
function renderError2017(error: BrokerError): Reply {
  return errorReply(error, {
    ExceptionMessage: descriptionOf(error),
    ErrorCode: oauthErrorOf(error),
  })
}

function errorReply(error: BrokerError, more: Readonly<Record<string, string>>): Reply {
  // Here a wrong secret may be told by its own status: it is no managed identity client's probe.
  const status = error.code === 'secret_header_wrong' ? 401 : error.status
  return {
    status,
    body: JSON.stringify({
      statusCode: status,
      message: descriptionOf(error),
      correlationId: error.entra?.correlationId ?? randomUUID(),
      ...more,
    }),
  }
}
