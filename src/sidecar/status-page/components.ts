/** The components of the status page: sections, tables, failures and times. */
import { removeTraceIds } from '../../lib/describe-error.ts'
import { isGuid } from '../../lib/grammars.ts'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { type Html, html } from './html.ts'

export type Failure = StatusDocument['failedRequests'][number]['failure']

interface Section {
  readonly id: string
  readonly title: string
  /** Says what the section shows. */
  readonly about?: string
  /** The summary of a section that can be closed, and whether it is open as long as the reader does not close it. */
  readonly fold?: { readonly summary: string; readonly isOpen: boolean }
  readonly content: Html
}

/** Renders a section. By `data-open` the script knows whether the reader opened or closed it. */
export function renderSection({ id, title, about, fold, content }: Section): Html {
  const heading = html`<h2 id="${id}-title">${title}</h2>`
  const body = html`${about && html`<p class="quiet small about">${about}</p>`} ${content}`
  const shown = fold
    ? html`<details ${fold.isOpen ? 'open data-open' : ''}>
        <summary>${heading} <span class="quiet small">${fold.summary}</span></summary>
        ${body}
      </details>`
    : html`${heading} ${body}`
  return html`<section id="${id}" class="${fold && 'fold'}" aria-labelledby="${id}-title">
    ${shown}
  </section>`
}

/** Renders a grid of cards, which are list items, or the sentence `none` if there is no card. */
export function renderCards(cards: readonly Html[], none: string): Html {
  return cards.length === 0
    ? renderEmpty(none)
    : html`<ul class="cards">
        ${cards}
      </ul>`
}

function renderEmpty(sentence: string): Html {
  return html`<div class="box"><p class="empty">${sentence}</p></div>`
}

/** A column of a table. `short` is never wrapped; `text` takes the space that is left. */
type Column<Row> = readonly [
  title: string,
  cell: (row: Row) => Html | string | number,
  width?: 'short' | 'text',
]

/**
 * Renders a table whose first column names the row, or the sentence `none` if it has no rows. Roles are explicit, since
 * `display: block` drops them.
 */
export function renderTable<Row>(
  label: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  none: string,
): Html {
  if (rows.length === 0) return renderEmpty(none)
  const heads = columns.map(([title]) => html`<th scope="col" role="columnheader">${title}</th>`)
  const body = rows.map((row) => {
    const cells = columns.map((column, index) => renderCell(column, row, index === 0))
    return html`<tr role="row">
      ${cells}
    </tr>`
  })
  return html`<div class="box">
    <table role="table" aria-label="${label}">
      <thead role="rowgroup">
        <tr role="row">
          ${heads}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${body}
      </tbody>
    </table>
  </div>`
}

function renderCell<Row>([title, cell, width]: Column<Row>, row: Row, isFirst: boolean): Html {
  return isFirst
    ? html`<th scope="row" role="rowheader" class="${width}">${cell(row)}</th>`
    : html`<td role="cell" class="${width}" data-label="${title}">${cell(row)}</td>`
}

/** A term and its value; a term whose value is undefined is left out. */
export type Fact = readonly [term: string, value: Html | string | undefined]

/** Renders a list of facts; nothing without a known value. */
export function renderFacts(facts: readonly Fact[], className = ''): Html {
  const known = facts.filter(([, value]) => value !== undefined)
  if (known.length === 0) return html``
  return html`<dl class="facts ${className}">
    ${known.map(
      ([term, value]) =>
        html`<div>
          <dt>${term}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

/** Renders a text in the monospaced font. */
export function renderMono(text: string): Html {
  return html`<span class="mono">${renderText(text)}</span>`
}

/** A longer name or URL may wrap on a wide screen, too. */
const MAX_UNBROKEN = 40

/** Stands for the name of an identity that is not configured. */
export const UNLISTED = 'an unlisted client id'

/** Returns true for the name of an identity that is not configured: its client id. */
export function isUnlisted(name: string, { identities }: StatusDocument): boolean {
  return isGuid(name) && !identities.some(({ clientId }) => clientId === name)
}

/** Renders the name of an identity, which wraps where a table has no room. */
export function renderIdentity(name: string, status: StatusDocument): Html {
  return isUnlisted(name, status)
    ? html`${UNLISTED}<br /><span class="mono quiet">${renderText(name, 20)}</span>`
    : renderText(name, 20)
}

/**
 * Renders a text whose names and URLs stay in one piece on a wide screen. Where there is no room, they wrap
 * after punctuation, not inside words.
 */
export function renderText(text: string, maxUnbroken = MAX_UNBROKEN): Html {
  return html`${text.split(/(\s+)/).map((word) => {
    const parts = word.split(/(?<=[/.:_?&=@",-])(?=[\p{L}\p{N}])/u)
    if (parts.length === 1) return word
    const content = parts.map((part, index) => (index === 0 ? part : html`<wbr />${part}`))
    return word.length > maxUnbroken ? content : html`<span class="name">${content}</span>`
  })}`
}

/** Renders a command to copy. */
export function renderCommand(command: string): Html {
  return html`<div class="command">
    <pre><code>${renderText(command)}</code></pre>
  </div>`
}

/** Renders the code of a failure, as a link if `href` is given. */
export function renderErrorCode({ code }: Failure, tone: string, href?: string): Html {
  return href === undefined
    ? html`<span class="tag mono ${tone}">${renderText(code)}</span>`
    : html`<a class="tag mono ${tone}" href="${href}">${renderText(code)}</a>`
}

/** Renders what happened, without the ids at the end of Entra ID's text. */
export function renderMessage({ message }: Failure, className?: string): Html {
  return html`<p class="${className}">${renderText(removeTraceIds(message))}</p>`
}

/** Renders what to do; nothing if that is not known. */
export function renderFix({ fix }: Failure): Html | undefined {
  return fix === undefined ? undefined : html`<p><strong>Fix:</strong> ${renderText(fix)}.</p>`
}

/** Returns the text with its first letter in upper case. */
export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const

/** Formats a length of time by its two largest units: `3 d 4 h`, `2 h 5 min`, `45 s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const at = UNITS.findIndex(([, size]) => seconds >= size)
  const [name, size] = UNITS[at] ?? ['s', 1]
  const whole = `${Math.floor(seconds / size)} ${name}`
  const [smaller, smallerSize] = at < 0 ? ['', 1] : (UNITS[at + 1] ?? ['s', 1])
  const rest = Math.floor((seconds % size) / smallerSize)
  return rest === 0 ? whole : `${whole} ${rest} ${smaller}`
}

/** Formats a time as `in 5 min`, `5 min ago` or `now`. */
export function formatRelative(time: string, now: string): string {
  const ms = Date.parse(time) - Date.parse(now)
  if (Math.abs(ms) < 1000) return 'now'
  return ms > 0 ? `in ${formatDuration(ms)}` : `${formatDuration(-ms)} ago`
}

/** Renders a time as `5 min ago` and on the clock. */
export function renderTime(time: string, now: string): Html {
  return html`<time datetime="${time}"
    >${formatRelative(time, now)} <span class="clock">${formatClock(time, now)}</span></time
  >`
}

/** Renders the time of the next exchange, which waits for a request once it is due. */
export function renderNextAttempt(time: string, now: string): Html | string {
  return Date.parse(time) <= Date.parse(now) ? 'at the next request' : renderTime(time, now)
}

/** Formats a time as `12:00:00 UTC`, with the date unless it is the day of `now`. */
export function formatClock(time: string, now: string): string {
  const clock = `${time.slice(11, 19)} UTC`
  return time.slice(0, 10) === now.slice(0, 10) ? clock : `${time.slice(0, 10)} ${clock}`
}
