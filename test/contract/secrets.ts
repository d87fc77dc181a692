/** Reads what a sidecar shows apart from its replies to token requests, and searches it for pieces of a secret. */
import { request, roundTrip } from '../fixtures/connection.ts'
import type { startServe } from '../fixtures/served.ts'

type Sidecar = Pick<Awaited<ReturnType<typeof startServe>>, 'adminPort' | 'log'>

const PAGES = ['/metrics', '/readyz', '/status.json', '/status']

/** Returns the log and the pages of the admin port as one text. Throws if a page does not answer 200. */
export async function fetchEverythingShown({ adminPort, log }: Sidecar): Promise<string> {
  const bodies = await Promise.all(
    PAGES.map(async (path) => {
      const bytes = request(path, { headers: { Host: 'localhost' } })
      const { status, body } = await roundTrip(adminPort, bytes)
      if (status !== 200) throw new Error(`${path} answered ${status}`)
      return body
    }),
  )
  return [log(), ...bodies].join('\n')
}

/** Shorter pieces can occur by chance and are of no use to an attacker. */
const PIECE = 20

/** Finds the first piece of the secret that occurs in the text. */
export function findPiece(secret: string, where: string): string | undefined {
  for (let at = 0; at + PIECE <= secret.length; at += 4) {
    const piece = secret.slice(at, at + PIECE)
    if (where.includes(piece)) return piece
  }
  return undefined
}
