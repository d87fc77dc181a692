/** Requests of the token endpoint, made of the real Entra ID and of the simulator alike. */
import { decodeJwt } from 'jose'
import { type Dispatcher, request } from 'undici'
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { createAssertion, readVariable, type Run } from './run.ts'

/** The resource of all tokens. */
export const ARM = 'https://management.azure.com'
export const AUDIENCE = 'api://AzureADTokenExchange'
export const SOMEBODY = 'api://somebody-else'

interface TokenRequest {
  readonly authority: string
  readonly tenantId: string
  readonly clientId: string
  readonly assertion: string
  /** Default: `.default` of Resource Manager. */
  readonly scope?: string
  readonly dispatcher?: Dispatcher
}

interface Exchange extends Partial<Pick<TokenRequest, 'tenantId' | 'clientId' | 'scope'>> {
  readonly audience?: string
  readonly isTrusted?: boolean
  /** Changes the signature of the assertion. */
  readonly isForged?: boolean
}

/** An id that no directory has. */
const NOBODY = '00000000-1111-4222-8333-444444444444'

const EXCHANGES: Readonly<Record<string, Exchange>> = {
  'a token': {},
  'another subject': { isTrusted: false },
  'another audience': { audience: SOMEBODY },
  'a wrong signature': { isForged: true },
  'an unknown application': { clientId: NOBODY },
  'an unknown tenant': { tenantId: NOBODY },
  'an unknown resource': { scope: 'https://wimds.invalid/.default' },
  'a malformed scope': { scope: ARM },
  'a resource with a slash': { scope: 'https://vault.azure.net//.default' },
  'a resource with two slashes': { scope: 'https://vault.azure.net///.default' },
}

/** Makes the requests of Entra ID and of a simulator with the same directory. Returns the replies and the differences. */
export async function compareExchanges(run: Run): Promise<unknown> {
  const tenantId = await readVariable(run, 'TENANT_ID')
  const clientId = await readVariable(run, 'CLIENT_ID')
  const subject = 'system:serviceaccount:shop:orders'
  await using simulator = await createSimulator({
    directory: {
      tenants: [{ id: tenantId }],
      applications: [{ clientId, federatedCredentials: [{ subject }] }],
    },
  })
  const { authorityHost, dispatcher, issuer } = simulator
  run.hide(run.authority, 'authority')
  run.hide(authorityHost, 'authority')
  run.hide(issuer.issuer, 'issuer')
  const replies: Record<string, unknown> = {}
  const simulated: Record<string, unknown> = {}
  for (const [name, exchange] of Object.entries(EXCHANGES)) {
    const { audience = AUDIENCE, isTrusted = true, isForged = false, ...changes } = exchange
    const account = isTrusted ? 'orders' : 'default'
    const ask = (assertion: string, to: Pick<TokenRequest, 'authority' | 'dispatcher'>) =>
      requestToken({
        tenantId,
        clientId,
        ...to,
        ...changes,
        // Replaces the signature by the one of nothing.
        assertion: isForged ? assertion.replace(/[^.]*$/, 'A'.repeat(342)) : assertion,
      })
    const { authority } = run
    replies[name] = await ask(await createAssertion(run, account, audience), { authority })
    const own = await issuer.sign({ namespace: 'shop', serviceAccount: account, audience })
    simulated[name] = await ask(own.reveal(), { authority: authorityHost, dispatcher })
  }
  return { differences: findDifferences(run.redact(replies), run.redact(simulated)), replies }
}

/** Makes one request. Throws an error if there is no reply. */
export async function requestToken({
  authority,
  tenantId,
  clientId,
  scope = `${ARM}/.default`,
  assertion,
  dispatcher,
}: TokenRequest) {
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
  // oxlint-disable-next-line no-unsafe-type-assertion -- what it has is the question
  const body = (await reply.body.json()) as Readonly<Record<string, unknown>>
  const token = body['access_token']
  return {
    status: reply.statusCode,
    contentType: String(reply.headers['content-type']),
    body,
    /** The audience of the access token. */
    ...(typeof token === 'string' && { audience: decodeJwt(token).aud }),
  }
}

/** Lists what differs, one line for each place: `a token.status: 200 ≠ 400`. */
function findDifferences(real: unknown, simulated: unknown, place = ''): string[] {
  if (isObject(real) && isObject(simulated)) {
    const names = new Set([...Object.keys(real), ...Object.keys(simulated)])
    return [...names].flatMap((name) =>
      findDifferences(real[name], simulated[name], place === '' ? name : `${place}.${name}`),
    )
  }
  const [one, other] = [real, simulated].map((value) => JSON.stringify(value) ?? 'absent')
  return one === other ? [] : [`${place}: ${one} ≠ ${other}`]
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
