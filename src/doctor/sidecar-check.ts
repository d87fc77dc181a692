/** Checks that the sidecar on this machine listens and is ready. */
import { request } from 'undici'
import * as z from 'zod/mini'
import type { Address } from '../config/parsers.ts'
import { formatUrlHost, toLocalHost } from '../lib/hosts.ts'
import { parseJson } from '../lib/json.ts'
import { readBody } from '../lib/read-body.ts'
import { createProblem } from './problem.ts'
import type { Problem, SidecarReport } from './report.ts'

const TIMEOUT_MS = 5000
const MAX_BODY_BYTES = 65_536

const Readiness = z.object({ ready: z.boolean() })

/** Sends `GET /readyz` to the address of WIMDS_LISTEN. */
export async function checkSidecar({ host, port }: Address): Promise<SidecarReport> {
  const address = `${formatUrlHost(toLocalHost(host))}:${port}`
  const error = await findProblem(address)
  return { address, ok: error === undefined, ...(error !== undefined && { error }) }
}

async function findProblem(address: string): Promise<Problem | undefined> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const { statusCode, body } = await request(`http://${address}/readyz`, { signal })
    const text = await readBody(body, MAX_BODY_BYTES, () => new Error('the response is too large'))
    const { data } = Readiness.safeParse(parseJson(text))
    if (data === undefined) {
      return createProblem(
        'sidecar_not_listening',
        `another program listens on ${address}: it answered ${statusCode}`,
        'run doctor in the container of the sidecar, with its WIMDS_LISTEN',
      )
    }
    if (data.ready) return undefined
    return createProblem(
      'sidecar_not_ready',
      `the sidecar on ${address} is not ready`,
      'fix the failed checks below; /readyz on the admin port of the sidecar has the reason',
    )
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return createProblem(
      'sidecar_not_listening',
      `no sidecar listens on ${address} (${reason})`,
      'run doctor in the container of the sidecar (kubectl exec POD -c wimds -- wimds doctor) or start wimds serve; --no-sidecar leaves this check out',
    )
  }
}
