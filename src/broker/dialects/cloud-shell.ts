/** The dialect of Cloud Shell and the former VM extension: /oauth2/token, by GET or a posted form. */
import type { BrokerError } from '../../lib/errors.ts'
import { TOKEN_PATHS } from '../../lib/sidecar-interface.ts'
import {
  createJsonReply,
  type Dialect,
  findOAuthError,
  formatDescription,
  formatOwnMember,
  type Reply,
  requireMetadataHeader,
  type TokenQuery,
  type WireRequest,
} from './dialect.ts'
import { imds } from './imds.ts'
import { parseParameters, parseResource, parseSelector } from './parameters.ts'

export const cloudShell = {
  name: 'cloud-shell',
  path: TOKEN_PATHS.cloudShell,
  methods: ['GET', 'POST'],
  parse,
  render: imds.render,
  renderError,
} satisfies Dialect

/** Parses the query and the form, which may be unencoded and of any content type (R18). There is no api-version. */
function parse(request: WireRequest): TokenQuery {
  requireMetadataHeader(request)
  const form = request.body?.trim() ?? ''
  const parameters = parseParameters(`${request.query}&${form}`)
  return { resource: parseResource(parameters), selector: parseSelector(parameters) }
}

function renderError(error: BrokerError): Reply {
  return createJsonReply(error.status, {
    error: {
      code: findOAuthError(error),
      message: formatDescription(error),
      ...formatOwnMember(error),
    },
  })
}
