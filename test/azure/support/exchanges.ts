/** Makes the same requests of the token endpoint, of the real Entra ID or of the simulator. */
import { decodeJwt } from 'jose'
import { type Dispatcher, request } from 'undici'

/** An issuer's tokens and an application that trusts one of its subjects. */
export interface Federation {
  readonly authority: string
  readonly tenantId: string
  readonly clientId: string
  readonly resource: string
  /** Returns a token of the trusted subject, or of another one, for an audience. */
  readonly createAssertion: (audience: string, isTrusted: boolean) => Promise<string>
  readonly dispatcher?: Dispatcher
}

interface TokenRequest extends Omit<Federation, 'createAssertion'> {
  readonly assertion: string
  /** Default: `.default` of the resource. */
  readonly scope?: string | undefined
}

export interface RecordedReply {
  readonly status: number
  readonly contentType: string
  readonly body: Readonly<Record<string, unknown>>
  /** The audience of the access token. */
  readonly audience?: unknown
}

interface Exchange {
  readonly audience?: string
  readonly isTrusted?: boolean
  /** Changes the signature of the assertion. */
  readonly isForged?: boolean
  readonly tenantId?: string
  readonly clientId?: string
  readonly scope?: string
}

export const AUDIENCE = 'api://AzureADTokenExchange'

/** An id and a resource that no directory has. */
const NOBODY = '00000000-1111-4222-8333-444444444444'

const EXCHANGES: Readonly<Record<string, Exchange>> = {
  'a token': {},
  'another subject': { isTrusted: false },
  'another audience': { audience: 'api://somebody-else' },
  'a wrong signature': { isForged: true },
  'an unknown application': { clientId: NOBODY },
  'an unknown tenant': { tenantId: NOBODY },
  'an unknown resource': { scope: 'https://wimds.invalid/.default' },
  'a malformed scope': { scope: 'https://management.azure.com' },
  'a resource with a slash': { scope: 'https://vault.azure.net//.default' },
  'a resource with two slashes': { scope: 'https://vault.azure.net///.default' },
}

/** Makes each request once. Returns the replies by what was requested. */
export async function recordExchanges({ createAssertion, ...federation }: Federation) {
  const replies: Record<string, RecordedReply> = {}
  for (const [name, exchange] of Object.entries(EXCHANGES)) {
    const { audience = AUDIENCE, isTrusted = true, isForged, ...changes } = exchange
    const assertion = await createAssertion(audience, isTrusted)
    const sent = isForged ? forge(assertion) : assertion
    replies[name] = await requestToken({ ...federation, ...changes, assertion: sent })
  }
  return replies
}

/** Makes one request. Throws an error if there is no reply. */
export async function requestToken({
  authority,
  tenantId,
  clientId,
  resource,
  scope = `${resource}/.default`,
  assertion,
  dispatcher,
}: TokenRequest): Promise<RecordedReply> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId,
    scope,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  })
  const reply = await request(`${authority}/${tenantId}/oauth2/v2.0/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
    ...(dispatcher && { dispatcher }),
  })
  // oxlint-disable-next-line no-unsafe-type-assertion -- the run records its members
  const body = (await reply.body.json()) as Readonly<Record<string, unknown>>
  const token = body['access_token']
  return {
    status: reply.statusCode,
    contentType: String(reply.headers['content-type']),
    body,
    ...(typeof token === 'string' && { audience: decodeJwt(token).aud }),
  }
}

/** Formats `200`, or `400 AADSTS700213`. */
export function summarize({ status, body }: RecordedReply): string {
  const codes = Array.isArray(body['error_codes']) ? body['error_codes'] : []
  return [status, ...codes.map((code) => `AADSTS${code}`)].join(' ')
}

/** Replaces the signature by one that no key has made. */
const forge = (assertion: string) =>
  `${assertion.split('.').slice(0, 2).join('.')}.${'A'.repeat(342)}`
