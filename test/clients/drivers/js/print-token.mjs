import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Prints what a client returned to its application: the token and, where the client reports one, its
 * expiry (epoch milliseconds or a Date; printed in seconds).
 */
export function printToken(token, expiresAt) {
  const seconds = Math.floor(Number(expiresAt) / 1000)
  // NaN would become null in JSON, which stands for a client that reports no expiry.
  const expiresOn = expiresAt === undefined ? undefined : seconds || -1
  process.stdout.write(`${JSON.stringify({ token, expiresOn })}\n`)
}

/** Prints the token. After WIMDS_TEST_AGAIN_AFTER seconds, when the token has ended, prints the client's next one. */
export async function printTokens(getToken) {
  printToken(...(await getToken()))
  const { WIMDS_TEST_AGAIN_AFTER: seconds } = process.env
  if (seconds === undefined) return
  await sleep(Number(seconds) * 1000)
  printToken(...(await getToken()))
}
