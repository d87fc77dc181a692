/** The report of a run, as a page that can be committed: it has no identifier and no token. */
import { stringify } from 'yaml'

/** What one step of a run has shown. */
export interface Result {
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'not reached'
  readonly seconds: number
  /** What was seen, or why it failed. */
  readonly evidence: unknown
}

/** Identifiers that are known, such as tenant and subscription, with the word that takes the place of each. */
type Identifiers = Readonly<Record<string, string>>

const SIGNS = { passed: '✓', failed: '✗', 'not reached': '–' } as const

/** Formats the report. `about` are the date, the commit and the versions. */
export function formatReport(
  about: Readonly<Record<string, string>>,
  results: readonly Result[],
  identifiers: Identifiers,
): string {
  const count = (outcome: Result['outcome']) =>
    results.filter((each) => each.outcome === outcome).length
  const seen = results.filter(({ evidence }) => evidence !== undefined)
  return [
    `# Run in Azure, ${about['date']}`,
    '',
    `${count('passed')} passed, ${count('failed')} failed, ${count('not reached')} not reached.`,
    '',
    ...Object.entries(about).map(
      ([name, value]) => `- ${name}: ${String(redact(value, identifiers))}`,
    ),
    '',
    '| step | outcome | seconds |',
    '| --- | --- | --- |',
    ...results.map(
      ({ name, outcome, seconds }) => `| ${name} | ${SIGNS[outcome]} ${outcome} | ${seconds} |`,
    ),
    ...seen.flatMap(({ name, evidence }) => [
      '',
      `## ${name[0]?.toUpperCase()}${name.slice(1)}`,
      '',
      '```yaml',
      stringify(redact(evidence, identifiers), { lineWidth: 0 }).trimEnd(),
      '```',
    ]),
    '',
  ].join('\n')
}

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
  // A key id or thumbprint, and what an opaque token may be.
  [/\b[\dA-F]{40}\b|[\w-]{43,}/g, '(key)'],
]

/** Returns the value with tokens, times and identifiers replaced in every string. */
export function redact(value: unknown, identifiers: Identifiers): unknown {
  // An issuer of AKS contains the tenant id: the longest comes first.
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
