/** Requests of the token endpoint, made of the real Entra ID and of the simulator alike. */
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

export interface RecordedReply {
  readonly status: number
  readonly contentType: string
  readonly body: unknown
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
}

/** Makes each request once. Returns the replies by what was requested. */
export async function recordExchanges(
  federation: Federation,
): Promise<Readonly<Record<string, RecordedReply>>> {
  const replies: Record<string, RecordedReply> = {}
  for (const [name, exchange] of Object.entries(EXCHANGES)) {
    replies[name] = await requestToken(federation, exchange)
  }
  return replies
}

async function requestToken(federation: Federation, exchange: Exchange): Promise<RecordedReply> {
  const { tenantId = federation.tenantId, clientId = federation.clientId } = exchange
  const { audience = 'api://AzureADTokenExchange', isTrusted = true, isForged } = exchange
  const assertion = await federation.createAssertion(audience, isTrusted)
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId,
    scope: exchange.scope ?? `${federation.resource}/.default`,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: isForged ? forge(assertion) : assertion,
  })
  const url = `${federation.authority}/${tenantId}/oauth2/v2.0/token`
  const reply = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
    ...(federation.dispatcher && { dispatcher: federation.dispatcher }),
  })
  return {
    status: reply.statusCode,
    contentType: String(reply.headers['content-type']),
    body: await reply.body.json(),
  }
}

/** Replaces the signature by the one of nothing. */
const forge = (assertion: string) =>
  `${assertion.split('.').slice(0, 2).join('.')}.${'A'.repeat(342)}`
