/** Lets MSAL build the request to the token endpoint. */
import {
  ConfidentialClientApplication,
  type INetworkModule,
  type NetworkRequestOptions,
} from '@azure/msal-node'
import type { Authority } from '../../lib/clouds.ts'
import { BrokerError } from '../../lib/errors.ts'
import type { TokenRequest } from '../tokens/token.ts'
import type { Assertion } from './assertion.ts'
import type { PostedForm, TokenEndpointResponse } from './token-endpoint.ts'

/**
 * Sends the request that MSAL builds, and returns the response, from which the caller reads success and failure. Each request
 * has its own client, which costs next to nothing: a client that is kept has throttle records that answer instead of
 * Entra ID, and a second cache (E4).
 */
export async function postWithMsal(
  { identity, scope, correlationId }: TokenRequest,
  authority: Authority,
  assertion: Assertion,
  send: (url: string, form: PostedForm) => Promise<TokenEndpointResponse>,
): Promise<TokenEndpointResponse> {
  let response: Promise<TokenEndpointResponse> | undefined
  const networkClient: INetworkModule = {
    sendGetRequestAsync: rejectGet,
    // oxlint-disable-next-line no-unnecessary-type-parameters -- MSAL's interface
    sendPostRequestAsync: async <T>(
      url: string,
      { headers = {}, body = '' }: NetworkRequestOptions = {},
    ) => {
      response = send(url, { headers, body })
      const { status, json } = await response
      // oxlint-disable-next-line no-unsafe-type-assertion -- MSAL's interface; a copy, since MSAL writes into it
      return { status, headers: {}, body: { ...json } as T }
    },
  }
  const msal = new ConfidentialClientApplication({
    auth: {
      clientId: identity.clientId,
      authority: authority.url,
      knownAuthorities: [authority.host],
      authorityMetadata: authority.metadata,
      clientAssertion: assertion.secret.reveal(),
    },
    system: { networkClient },
  })
  const acquired = msal.acquireTokenByClientCredential({
    scopes: [scope],
    skipCache: true,
    ...(correlationId !== undefined && { correlationId }),
    // Otherwise MSAL_FORCE_REGION in the environment sends the assertion to another host (E3).
    azureRegion: 'DisableMsalForceRegion',
  })
  // Once the request is sent, the response says more than MSAL's error.
  await acquired.catch((error: unknown) => response ?? Promise.reject(error))
  return response ?? rejectUnsent()
}

function rejectUnsent(): never {
  throw new BrokerError('internal', 'MSAL sent no request', 'report this as a bug of wimds')
}

/** Throws: MSAL has the metadata of its authority, so it has nothing to fetch (E3). */
function rejectGet(url: string): never {
  throw new BrokerError('internal', `MSAL sent an unexpected GET to ${new URL(url).pathname}`)
}
