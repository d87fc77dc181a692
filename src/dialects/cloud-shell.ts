/** The dialect of Cloud Shell and of the former VM extension: /oauth2/token, GET or a posted form. */
import type { BrokerError } from '../errors.ts'
import type { Dialect, Reply, TokenQuery, WireRequest } from './dialect.ts'
import { descriptionOf, oauthErrorOf } from './error-body.ts'
import { imds, requireMetadataHeader } from './imds.ts'
import { parseParameters, resourceOf, selectorOf } from './parameters.ts'

export const cloudShell = {
  name: 'cloud-shell',
  path: '/oauth2/token',
  methods: ['GET', 'POST'],
  parse,
  render: (answer) => imds.render(answer),
  renderError,
} satisfies Dialect

/** There is no api-version here, and forms may be unencoded and of any content type (R18). */
function parse(request: WireRequest): TokenQuery {
  requireMetadataHeader(request)
  const form = request.body?.trim() ?? ''
  const parameters = parseParameters(`${request.query}&${form}`)
  return {
    resource: resourceOf(parameters),
    selector: selectorOf(parameters, { isEmptyNone: true }),
  }
}

function renderError(error: BrokerError): Reply {
  return {
    status: error.status,
    body: JSON.stringify({
      error: { code: oauthErrorOf(error), message: descriptionOf(error) },
    }),
  }
}
