/** Validates the result that a client gave its application: tokens, or a description of the machine. */
import { jwtVerify, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import type { TestIdentity } from './identities.ts'
import type { Outcome } from './run-process.ts'

export interface ExpectedToken {
  readonly identity: TestIdentity
  /** The requested resource: the token's `aud`. */
  readonly resource: string
  /** The number of tokens, no two of which may be the same. */
  readonly count: number
}

/** A client that computes the expiry from `expires_in` may differ by this. */
const EXPIRY_TOLERANCE_SECONDS = 60

/** The line that a driver prints on stdout for each token. */
const Line = z.object({ token: z.string(), expiresOn: z.number().nullish() })

/** The line that the driver of a detector prints. */
const Detected = z.object({ attributes: z.record(z.string(), z.unknown()) })

/** Returns undefined for the right tokens, otherwise the problem, without a token. */
export async function findProblem(
  outcome: Outcome,
  { identity, resource, count }: ExpectedToken,
  keys: JWTVerifyGetKey,
): Promise<string | undefined> {
  const problem = findFailure(outcome)
  if (problem !== undefined) return problem
  try {
    const texts = outcome.stdout.trim().split('\n')
    const lines = texts.map((text) => Line.parse(JSON.parse(text)))
    const tokens = new Set(lines.map(({ token }) => token))
    if (tokens.size !== count) return `${count} different tokens are expected, not ${tokens.size}`
    for (const { token, expiresOn } of lines) {
      // The tolerance also covers the first of two tokens, which has ended.
      const { payload } = await jwtVerify(token, keys, {
        audience: resource,
        clockTolerance: EXPIRY_TOLERANCE_SECONDS,
      })
      if (payload['appid'] !== identity.clientId) {
        return `the token is of ${String(payload['appid'])}`
      }
      const { exp = 0 } = payload
      if (expiresOn === undefined || expiresOn === null) continue
      if (Math.abs(expiresOn - exp) > EXPIRY_TOLERANCE_SECONDS) {
        return `the client reports the expiry ${expiresOn}, the token has ${exp}`
      }
    }
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : 'not a token'
  }
}

/** Returns undefined if a detector found no machine of Azure, otherwise a problem with its attributes. */
export function findDetected(outcome: Outcome): string | undefined {
  const problem = findFailure(outcome)
  if (problem !== undefined) return problem
  const found = JSON.stringify(Detected.parse(JSON.parse(outcome.stdout)).attributes)
  return found === '{}' ? undefined : `the detector found ${found}`
}

function findFailure({ exitCode, stdout, stderr }: Outcome): string | undefined {
  if (exitCode !== 0) return `exit code ${exitCode}: ${excerpt(stderr || stdout)}`
  if (!stdout.startsWith('{')) return `stdout begins with: ${stdout.split('\n', 1).join('')}`
  return undefined
}

/** Returns the first and last lines: the reason is before the stack in some runtimes, after it in others. */
function excerpt(text: string): string {
  const lines = text.trim().split('\n')
  const shown = lines.length <= 12 ? lines : [...lines.slice(0, 6), '…', ...lines.slice(-6)]
  return shown.map((line) => line.slice(0, 300)).join('\n')
}
