/** Replaces identifiers in the records of a run, and compares two records. */

/** Known identifiers, such as tenant and subscription, with the word that replaces each. */
export type Identifiers = Readonly<Record<string, string>>

const GENERAL: readonly (readonly [RegExp, string])[] = [
  [/eyJ[\w-]+(?:\.[\w-]+){0,2}/g, '(token)'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, '(time)'],
  [/\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b/gi, '(guid)'],
  // Epoch seconds of this and the next years.
  [/\b(?:1[7-9]|2[0-4])\d{8}\b/g, '(epoch)'],
  // The name of a tenant.
  [/(?<=in the directory ')[^']*|(?<=in the tenant named ).*?(?=\. This )/g, '(tenant)'],
  [/[\w.+-]+@[\w-]+\.[\w.-]+/g, '(mail)'],
  [/\b(?!169\.254\.169\.254)\d{1,3}(?:\.\d{1,3}){3}\b/g, '(address)'],
  [/\b[\w-]+\.hcp\.[\w.-]+/g, '(api server)'],
  // A key id or thumbprint, and possibly an opaque token.
  [/\b[\dA-F]{40}\b|[\w-]{43,}/g, '(key)'],
]

/** Returns the value with tokens, times and identifiers replaced in every string. */
export function redact(value: unknown, identifiers: Identifiers): unknown {
  // The longest identifier comes first, since an issuer of AKS contains the tenant id.
  const known = Object.entries(identifiers)
    .filter(([identifier]) => identifier !== '')
    .toSorted(([one], [other]) => other.length - one.length)
  const json = JSON.stringify(value, (name, each: unknown) => {
    // Entra ID chooses a lifetime of 60 to 90 minutes for each token.
    if (name.endsWith('expires_in')) return '(seconds)'
    if (typeof each !== 'string') return each
    const text = known.reduce(
      (before, [identifier, word]) => before.replaceAll(identifier, `(${word})`),
      each,
    )
    return GENERAL.reduce((before, [pattern, word]) => before.replaceAll(pattern, word), text)
  })
  const redacted: unknown = JSON.parse(json)
  return redacted
}

/** Lists the differences, one line for each place: `a token.status: 200 ≠ 400`. */
export function findDifferences(real: unknown, simulated: unknown, place = ''): string[] {
  if (isObject(real) && isObject(simulated)) {
    const names = new Set([...Object.keys(real), ...Object.keys(simulated)])
    return [...names].flatMap((name) =>
      findDifferences(real[name], simulated[name], place === '' ? name : `${place}.${name}`),
    )
  }
  const [one, other] = [real, simulated].map((value) => JSON.stringify(value) ?? 'absent')
  return one === other ? [] : [`${place}: ${one} ≠ ${other}`]
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
