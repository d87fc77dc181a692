/** Whether the token that a client handed to its application is the one it asked for. */
import { jwtVerify, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import type { TestIdentity } from './identities.ts'
import type { Outcome } from './run-process.ts'

export interface ExpectedToken {
  readonly identity: TestIdentity
  /** The resource as asked for: the token's `aud`. */
  readonly resource: string
}

/** How far a client's expiry, which may be computed from `expires_in`, can be from the token's. */
const EXPIRY_TOLERANCE_SECONDS = 60

/** The one line that every driver prints on stdout. */
const Line = z.object({ token: z.string(), expiresOn: z.number().nullish() })

/** Undefined when all is well, else what is wrong with it, without the token itself. */
export async function problemWith(
  { exitCode, stdout, stderr }: Outcome,
  { identity, resource }: ExpectedToken,
  keys: JWTVerifyGetKey,
): Promise<string | undefined> {
  if (exitCode !== 0) return `exit code ${exitCode}: ${excerpt(stderr || stdout)}`
  try {
    const { token, expiresOn } = Line.parse(JSON.parse(stdout))
    const { payload } = await jwtVerify(token, keys, { audience: resource })
    if (payload['appid'] !== identity.clientId) return `a token of ${String(payload['appid'])}`
    const { exp = 0 } = payload
    if (expiresOn === undefined || expiresOn === null) return undefined
    if (Math.abs(expiresOn - exp) <= EXPIRY_TOLERANCE_SECONDS) return undefined
    return `told that the token expires at ${expiresOn}, but it does at ${exp}`
  } catch (error) {
    return error instanceof Error ? error.message : 'not a token'
  }
}

/** Some runtimes tell the reason first and then a stack, some the other way round. */
function excerpt(text: string): string {
  const lines = text.trim().split('\n')
  const shown = lines.length <= 12 ? lines : [...lines.slice(0, 6), '…', ...lines.slice(-6)]
  return shown.map((line) => line.slice(0, 300)).join('\n')
}
