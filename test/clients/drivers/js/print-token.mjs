/**
 * Prints what a client returned to its application: the token and, where the client reports one, its
 * expiry (epoch milliseconds or a Date; printed in seconds).
 */
export function printToken(token, expiresAt) {
  const expiresOn = expiresAt === undefined ? undefined : Math.floor(Number(expiresAt) / 1000)
  process.stdout.write(`${JSON.stringify({ token, expiresOn })}\n`)
}
