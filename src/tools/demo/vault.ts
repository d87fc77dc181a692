/** The vault of the demo: it returns its secret for a valid access token of the simulated Entra ID. */
import { createLocalJWKSet, jwtVerify } from 'jose'
import { fetch } from 'undici'
import { errorMessage } from '../../lib/describe-error.ts'
import { formatV1Issuer } from '../simulator/entra/access-token.ts'
import { createJsonResponse } from '../simulator/http/handler.ts'
import { serve } from '../simulator/http/serve.ts'
import type { Simulator } from '../simulator/simulator.ts'

export const SECRET = { name: 'database-password', value: 'correct-horse' } as const
export const VAULT = 'https://vault.azure.net'

/** Starts the vault on a free port. The vault validates signature, issuer, audience and times of a token. */
export async function startVault({ authorityHost, tenantId, dispatcher }: Simulator) {
  const response = await fetch(`${authorityHost}/${tenantId}/discovery/v2.0/keys`, { dispatcher })
  const keys = createLocalJWKSet(JSON.parse(await response.text()))
  const options = {
    algorithms: ['RS256'],
    issuer: formatV1Issuer(tenantId),
    audience: VAULT,
    requiredClaims: ['exp'],
  }
  return await serve(async (request) => {
    const token = request.headers.get('authorization')?.replace(/^Bearer /, '') ?? ''
    try {
      await jwtVerify(token, keys, options)
    } catch (error) {
      return createJsonResponse(401, { error: { message: errorMessage(error) } })
    }
    return createJsonResponse(200, { value: SECRET.value })
  })
}
