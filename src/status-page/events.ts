/** What happened: exchanges with Entra ID, and requests that were refused. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { codeTag, explanation } from './failure.ts'
import { type Html, html } from './html.ts'
import { empty, section, table } from './table.ts'
import { clockTime, relative } from './words.ts'

/** A row for each of the last exchanges. */
export function exchangesSection({ exchanges, generatedAt }: StatusDocument): Html {
  if (exchanges.length === 0) {
    return section('exchanges', 'Last exchanges with Entra ID', empty('None so far.'))
  }
  const rows = table(
    'Last exchanges with Entra ID',
    [
      { title: 'When', cell: ({ at }) => clockTime(at, generatedAt), width: 'short' },
      { title: 'Identity', cell: ({ identity }) => identity },
      { title: 'Resource', cell: ({ resource }) => resource, width: 'name' },
      { title: 'Took', cell: ({ durationMs }) => `${durationMs} ms`, width: 'short' },
      {
        title: 'Outcome',
        cell: ({ failure, meaning }) =>
          failure === undefined
            ? html`<span class="tag ok">token</span>`
            : html`${codeTag(failure)}${explanation(failure, meaning)}`,
      },
    ],
    exchanges,
  )
  return section('exchanges', 'Last exchanges with Entra ID', html`<div class="box">${rows}</div>`)
}

/** A row for each kind of refusal; one that a token above explains is not explained again. */
export function refusalsSection({ refusals, tokens, generatedAt }: StatusDocument): Html {
  const above = new Set(tokens.map(({ failure }) => failure?.code))
  if (refusals.length === 0) {
    return section('refusals', 'Refused requests', empty('None so far.'))
  }
  const rows = table(
    'Refused requests',
    [
      { title: 'Last', cell: ({ lastAt }) => relative(lastAt, generatedAt), width: 'short' },
      { title: 'Times', cell: ({ count }) => count, width: 'short' },
      {
        title: 'Caller',
        cell: ({ client, clientVersion }) => `${client} ${clientVersion}`,
        width: 'name',
      },
      { title: 'Protocol', cell: ({ dialect }) => dialect },
      {
        title: 'Why',
        cell: ({ failure }) =>
          above.has(failure.code)
            ? html`${codeTag(failure)} explained at the token above`
            : html`${codeTag(failure, 'starting')}${explanation(failure)}`,
      },
    ],
    refusals,
  )
  return section('refusals', 'Refused requests', html`<div class="box">${rows}</div>`)
}
