/** The report of a run, as a page that can be committed: it has no identifier and no token. */
import { stringify } from 'yaml'
import { type Identifiers, redact } from './redact.ts'

/** The result of one step of a run. */
export interface Result {
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'not reached'
  readonly seconds: number
  /** The observations of the step, or the reason of its failure. */
  readonly evidence: unknown
}

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
    ...Object.entries(about).map(([name, value]) => `- ${name}: ${text(value, identifiers)}`),
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

const text = (value: string, identifiers: Identifiers) => String(redact(value, identifiers))
