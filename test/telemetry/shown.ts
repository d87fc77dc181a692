/** Everything that a sidecar shows to anybody but the caller of a token. */
import { request, roundTrip } from '../fixtures/connection.ts'
import type { startServe } from '../fixtures/served.ts'

type Sidecar = Pick<Awaited<ReturnType<typeof startServe>>, 'adminPort' | 'log'>

const PAGES = ['/metrics', '/readyz', '/status.json', '/status']

/** Its log so far and the pages of its admin port, in one text. Fails for a page that is not there. */
export async function shownBy({ adminPort, log }: Sidecar): Promise<string> {
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
