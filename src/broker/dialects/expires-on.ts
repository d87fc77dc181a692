/** The formats of `expires_on`: epoch seconds as a string in all replies, but a date for some clients of App Service 2017 (R24). */

/** The clients that accept only the date format of the real service; all others take epoch seconds. */
const DATE_CLIENTS = /azsdk-python-identity\/1\.(?:[4-9]|1[0-4])\.|azsdk-js-identity\/[12]\./

/** Formats `expires_on` of App Service 2017 for a client with this `User-Agent`. */
export function formatExpiresOn2017(epochSeconds: number, userAgent = ''): string {
  return DATE_CLIENTS.test(userAgent) ? formatDate(epochSeconds) : String(epochSeconds)
}

/** Formats `11/25/2026 13:31:39 +00:00`, as App Service on Linux does. */
function formatDate(epochSeconds: number): string {
  const [date = '', time = ''] = new Date(epochSeconds * 1000).toISOString().split('T')
  const [year = '', month = '', day = ''] = date.split('-')
  return `${month}/${day}/${year} ${time.slice(0, 8)} +00:00`
}
