/** The dialect of Azure Arc: the IMDS one behind a challenge that only local readers can meet. */
import { BrokerError } from '../errors.ts'
import type { Selector } from '../identities.ts'
import { Secret } from '../secret.ts'
import type { ArcKeys } from './arc-keys.ts'
import type { Dialect, Reply, TokenAnswer, WireRequest } from './dialect.ts'
import { imds, requireMetadataHeader } from './imds.ts'

/** Spoken on a listener of its own, since the path is that of IMDS. */
export function arc(keys: ArcKeys): Dialect {
  return {
    ...imds,
    name: 'arc',
    challenge: (request) => challenge(request, keys),
    render,
  }
}

const BASIC = /^Basic (\S+)$/i

/** Without a key that waits to be used: 401, and the path of the file that holds a new one. */
async function challenge(request: WireRequest, keys: ArcKeys): Promise<Reply | undefined> {
  requireMetadataHeader(request)
  // Told before a key is spent: the caller would have to fetch another one to hear it.
  imds.parse(request)
  const [, key] = BASIC.exec(request.headers.authorization ?? '') ?? []
  if (key !== undefined && keys.redeem(new Secret(key))) return undefined
  const path = await issue(keys)
  return {
    status: 401,
    headers: { 'WWW-Authenticate': `Basic realm=${path}` },
    body: JSON.stringify({
      error: 'unauthorized_client',
      error_description: 'Missing Basic Authorization header',
    }),
  }
}

async function issue(keys: ArcKeys): Promise<string> {
  try {
    return await keys.issue()
  } catch (error) {
    throw new BrokerError(
      'internal',
      'the key of the challenge cannot be written: mount a volume that wimds may write to at WIMDS_ARC_KEY_DIR',
      { cause: error },
    )
  }
}

/** Which member of the body repeats the selector; new clients refuse a token without it (R26). */
const ECHOES = { clientId: 'client_id', objectId: 'object_id', resourceId: 'msi_res_id' } as const

function render(answer: TokenAnswer): Reply {
  const reply = imds.render(answer)
  const { selector } = answer.query
  return selector.by === 'default' ? reply : { ...reply, body: withEcho(reply.body, selector) }
}

function withEcho(body: string, selector: Exclude<Selector, { by: 'default' }>): string {
  return JSON.stringify({ ...JSON.parse(body), [ECHOES[selector.by]]: selector.value })
}
