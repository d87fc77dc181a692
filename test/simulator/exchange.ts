/** A bare client of the token endpoint, so that tests can break one thing of a request at a time. */
import { readFile } from 'node:fs/promises'
import { fetch, type RequestInit } from 'undici'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import type { SimulatorOptions } from '../../src/simulator/simulator.ts'

export const CORRELATION_ID = 'abababab-abab-4bab-8bab-abababababab'

export const NOW = Date.UTC(2026, 10, 24, 12, 0, 0)

/** A simulator without ports whose clock stands still at `NOW`. */
export const startInMemory = (options: SimulatorOptions = {}): Promise<Simulator> =>
  createSimulator({ ports: false, now: () => NOW, ...options })

export interface Attempt {
  readonly tenant?: string
  readonly version?: 1 | 2
  /** Put over the right form; `undefined` takes a parameter away. */
  readonly form?: Readonly<Record<string, string | undefined>>
  /** In place of the projected token. */
  readonly assertion?: string
  readonly path?: string
  readonly init?: RequestInit
}

export interface Outcome {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Readonly<Record<string, unknown>>
}

/** Sends a right token request, but for what the attempt breaks. Rejects when no JSON comes back. */
export async function exchange(simulator: Simulator, attempt: Attempt = {}): Promise<Outcome> {
  const { tenant = simulator.tenantId, version = 2, form = {} } = attempt
  const path = attempt.path ?? (version === 2 ? '/oauth2/v2.0/token' : '/oauth2/token')
  const response = await fetch(`${simulator.authorityHost}/${tenant}${path}`, {
    method: 'POST',
    dispatcher: simulator.dispatcher,
    redirect: 'manual',
    body: new URLSearchParams(
      Object.entries({
        grant_type: 'client_credentials',
        client_id: simulator.clientId,
        ...(version === 2
          ? { scope: 'https://vault.azure.net/.default' }
          : { resource: 'https://vault.azure.net' }),
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: attempt.assertion ?? (await readFile(simulator.tokenFile, 'utf8')),
        'client-request-id': CORRELATION_ID,
        ...form,
      }).filter((pair): pair is [string, string] => pair[1] !== undefined),
    ),
    ...attempt.init,
  })
  return {
    status: response.status,
    headers: new Map(response.headers),
    body: JSON.parse(await response.text()),
  }
}
