/** Everything that a sidecar shows apart from its replies to token requests. */
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
