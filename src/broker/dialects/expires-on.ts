/** The formats of `expires_on`: epoch seconds as a string in all replies, but a date for some clients of App Service (R24). */

/** The clients that accept only the date that the real service once sent; all others take epoch seconds. */
const DATE_CLIENTS = {
  '2017-09-01': /azsdk-python-identity\/1\.(?:[4-9]|1[0-4])\.|azsdk-js-identity\/[12]\./,
  // This client reads a number as NaN, and never requests another token.
  '2019-08-01': /azsdk-js-identity\/2\./,
}

/** Formats `expires_on` of App Service for a client with this `User-Agent`. */
export function formatExpiresOn(
  version: keyof typeof DATE_CLIENTS,
  epochSeconds: number,
  userAgent = '',
): string {
  return DATE_CLIENTS[version].test(userAgent) ? formatDate(epochSeconds) : String(epochSeconds)
}

/** Formats `11/25/2026 13:31:39 +00:00`, as App Service on Linux does. */
function formatDate(epochSeconds: number): string {
  const [date = '', time = ''] = new Date(epochSeconds * 1000).toISOString().split('T')
  const [year = '', month = '', day = ''] = date.split('-')
  return `${month}/${day}/${year} ${time.slice(0, 8)} +00:00`
}
