/** A minimal client of the token endpoint, with which a test changes one part of a valid request. */
import { readFile } from 'node:fs/promises'
import { fetch, type Headers, type RequestInit } from 'undici'
import {
  createSimulator,
  type Simulator,
  type SimulatorOptions,
} from '../../../src/tools/simulator/simulator.ts'

export const CORRELATION_ID = 'abababab-abab-4bab-8bab-abababababab'

export const NOW = Date.UTC(2026, 10, 24, 12, 0, 0)

/** Starts a simulator with names instead of ports, whose clock always returns `NOW`. */
export const startSimulator = (options: SimulatorOptions = {}): Promise<Simulator> =>
  createSimulator({ now: () => NOW, ...options })

export interface RequestChanges {
  readonly tenant?: string
  /** Overrides form parameters; `undefined` removes one. */
  readonly form?: Readonly<Record<string, string | undefined>>
  /** Default: the projected token. */
  readonly assertion?: string
  readonly init?: RequestInit
}

export interface Outcome {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

type TokenEndpoint = Pick<
  Simulator,
  'authorityHost' | 'clientId' | 'dispatcher' | 'tenantId' | 'tokenFile'
>

/** Sends a valid token request with these changes. Rejects when the response is not JSON. */
export async function exchange(
  simulator: TokenEndpoint,
  changes: RequestChanges = {},
): Promise<Outcome> {
  const { tenant = simulator.tenantId, form = {} } = changes
  const response = await fetch(`${simulator.authorityHost}/${tenant}/oauth2/v2.0/token`, {
    method: 'POST',
    dispatcher: simulator.dispatcher,
    redirect: 'manual',
    body: new URLSearchParams(
      Object.entries({
        grant_type: 'client_credentials',
        client_id: simulator.clientId,
        scope: 'https://vault.azure.net/.default',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: changes.assertion ?? (await readFile(simulator.tokenFile, 'utf8')),
        'client-request-id': CORRELATION_ID,
        ...form,
      }).filter((pair): pair is [string, string] => pair[1] !== undefined),
    ),
    ...changes.init,
  })
  return {
    status: response.status,
    headers: response.headers,
    body: JSON.parse(await response.text()),
  }
}

/** Formats status, OAuth error and AADSTS code of a failure: `401 invalid_client 700213`. */
export const formatFailure = ({ status, body }: Outcome): string =>
  [status, body['error'], body['error_codes']].map(String).join(' ')
