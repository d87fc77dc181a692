/** Random credentials, responses that repeat one, and the search for pieces of it. */
import { constantFrom, integer, oneof, tuple, uint8Array } from 'fast-check'
import type { FaultInput } from '../../src/tools/simulator/faults/faults.ts'

const base64url = (minLength: number, maxLength: number) =>
  uint8Array({ minLength: Math.ceil(minLength / 1.3), maxLength }).map((bytes) =>
    Buffer.from(bytes).toString('base64url'),
  )

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** An unsigned JWT with the claims of a projected token. */
const forgedJwt = tuple(base64url(60, 120), base64url(200, 342)).map(([note, signature]) => {
  const claims = {
    iss: 'https://issuer.test',
    sub: 'system:serviceaccount:shop:orders',
    aud: 'api://AzureADTokenExchange',
    exp: Math.floor(Date.now() / 1000) + 3600,
    note,
  }
  return `${part({ alg: 'RS256', kid: 'unknown' })}.${part(claims)}.${signature}`
})

/** Content of the projected token file. */
export const anAssertion = oneof(
  { weight: 3, arbitrary: forgedJwt },
  // Truncated, like a file that is read while it is written
  tuple(forgedJwt, integer({ min: 40, max: 90 })).map(([jwt, percent]) =>
    jwt.slice(0, Math.floor((jwt.length * percent) / 100)),
  ),
  // With white space inside, like a token copied by hand
  tuple(forgedJwt, integer({ min: 10, max: 90 }), constantFrom(' ', '\n', '\r\n', '\t', '\0')).map(
    ([jwt, percent, blank]) => {
      const at = Math.floor((jwt.length * percent) / 100)
      return `${jwt.slice(0, at)}${blank}${jwt.slice(at)}`
    },
  ),
  // With a part missing, and with too many parts
  forgedJwt.map((jwt) => jwt.slice(0, jwt.lastIndexOf('.'))),
  forgedJwt.map((jwt) => `${jwt}.${jwt}`),
  // Not a JWT: another key that was mounted by mistake
  base64url(60, 300),
)

/** A token in a response of the token endpoint. */
export const aToken = oneof(forgedJwt, base64url(100, 300))

/** A credential that a caller puts in the wrong place. */
export const aCallersSecret = oneof(forgedJwt, base64url(64, 200))

type Echo = (assertion: string) => FaultInput

const json = (status: number, body: unknown, headers: Record<string, string> = {}): FaultInput => ({
  kind: 'status',
  status,
  body: JSON.stringify(body),
  contentType: 'application/json; charset=utf-8',
  headers,
})

const text = (status: number, body: string): FaultInput => ({ kind: 'status', status, body })

/** Responses of a token endpoint that repeat the assertion. */
const ECHOES: readonly Echo[] = [
  (assertion) =>
    json(400, {
      error: 'invalid_client',
      error_description: `AADSTS50027: JWT token is invalid: ${assertion}. Trace ID: x Correlation ID: y Timestamp: z`,
      error_codes: [50_027],
    }),
  (assertion) =>
    json(400, {
      error: assertion,
      error_description: 'AADSTS900144: ?',
      error_codes: [900_144],
      trace_id: assertion,
      correlation_id: assertion,
      suberror: assertion,
      claims: assertion,
    }),
  (assertion) =>
    json(200, { token_type: 'Bearer', expires_in: assertion, access_token: assertion }),
  (assertion) => text(200, `<html>you sent client_assertion=${assertion}</html>`),
  (assertion) => text(502, `${'x'.repeat(150)} ${assertion}`),
  (assertion) => json(503, { error: 'temporarily_unavailable' }, { 'x-ms-request-id': assertion }),
  (assertion) => json(429, {}, { 'retry-after': assertion }),
  (assertion) => ({
    kind: 'status',
    status: 307,
    headers: { location: `https://elsewhere.test/?assertion=${assertion}` },
  }),
]

/** Responses that repeat a piece of the assertion which is too short to be recognized as a credential. */
const ECHOES_OF_PIECES: readonly Echo[] = [
  (assertion) =>
    json(400, {
      error: 'invalid_client',
      error_description: `AADSTS50027: invalid at ‘${assertion.slice(40, 70)}’, near “${assertion.slice(-40)}”`,
      trace_id: assertion.slice(60, 96),
      correlation_id: assertion.slice(96, 132),
      error_codes: [50_027],
    }),
  (assertion) => text(502, `cannot pass ${assertion.slice(33, 73)} on: ${assertion.slice(-30)}`),
  (assertion) => text(500, `${'x '.repeat(80)}${assertion.slice(0, 60)}`),
]

export const anEcho = constantFrom(...ECHOES, ...ECHOES_OF_PIECES)

/** Responses with a token in an unexpected place. */
const STRAYS: readonly Echo[] = [
  ...ECHOES,
  (token) => json(200, { token_type: 'Bearer', expires_in: 'soon', access_token: token }),
  (token) => json(200, { access_token: { inner: token } }),
  (token) => text(200, `{"token_type":"Bearer","expires_in":3599,"access_token":"${token}`),
  (token) => text(200, `HTTP/1.1 200 OK\r\nSet-Cookie: session=${token}\r\n\r\n`),
  (token) => text(503, `${'x '.repeat(75)}${token}`),
]

export const aStray = constantFrom(...STRAYS)

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
