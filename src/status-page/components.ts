/** The components of the status page: sections, tables, failures and times. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { type Html, html } from './html.ts'

type Failure = StatusDocument['failedRequests'][number]['failure']

interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => Html | string | number
  /** `short`: never wrapped; `name`: wide enough for a host name; `text`: takes the space that is left. */
  readonly width?: 'short' | 'name' | 'text'
}

/** Renders a heading and its content. */
export function renderSection(id: string, title: string, content: Html): Html {
  return html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${content}
  </section>`
}

/** Renders the sentence that stands in for an empty table. */
export function renderEmpty(sentence: string): Html {
  return html`<div class="box"><p class="empty">${sentence}</p></div>`
}

/** Renders a table, or the sentence `none` if it has no rows. */
export function renderTableBox<Row>(
  label: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  none: string,
): Html {
  return rows.length === 0
    ? renderEmpty(none)
    : html`<div class="box">${renderTable(label, columns, rows)}</div>`
}

/** Renders a table whose first column names the row. Roles are explicit, since `display: block` drops them. */
export function renderTable<Row>(
  label: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Html {
  const heads = columns.map(({ title }) => html`<th scope="col" role="columnheader">${title}</th>`)
  const body = rows.map(
    (row) =>
      html`<tr role="row">
        ${columns.map((column, index) => renderCell(column, row, index === 0))}
      </tr>`,
  )
  return html`<table role="table" aria-label="${label}">
    <thead role="rowgroup">
      <tr role="row">
        ${heads}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${body}
    </tbody>
  </table>`
}

function renderCell<Row>({ title, cell, width }: Column<Row>, row: Row, isFirst: boolean): Html {
  return isFirst
    ? html`<th scope="row" role="rowheader" class="${width ?? ''}">${cell(row)}</th>`
    : html`<td role="cell" class="${width ?? ''}" data-label="${title}">${cell(row)}</td>`
}

/** Renders terms and their values. */
export function renderFacts(
  items: readonly (readonly [string, Html | string])[],
  className = '',
): Html {
  return html`<dl class="facts ${className}">
    ${items.map(
      ([term, value]) =>
        html`<div>
          <dt>${term}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

export function renderMono(text: string): Html {
  return html`<span class="mono">${renderBreakable(text)}</span>`
}

/** Renders a text that may wrap after punctuation, so that long URLs and names need not break inside words. */
export function renderBreakable(text: string): Html {
  const parts = text.split(/(?<=[/.:_?&=@-])(?=[\p{L}\p{N}])/u)
  return html`${parts.map((part, index) => (index === 0 ? part : html`<wbr />${part}`))}`
}

/** Renders the code of a failure: red if it keeps tokens from coming, grey if only a caller is wrong. */
export function renderErrorCode({ code }: Failure, tone: 'failing' | 'starting' = 'failing'): Html {
  return html`<span class="tag mono ${tone}">${renderBreakable(code)}</span>`
}

/** Renders what happened, what to do, and the ids for a support ticket. */
export function renderFailure(
  { message, entraTraceId, entraCorrelationId }: Failure,
  explanation?: string,
): Html {
  // Entra ID repeats the ids and the time at the end of its message; the fix follows them.
  const [problem = '', fix] = message
    .replace(/\s+Trace ID:.*?Timestamp: [\d:\- ]+Z/s, '')
    .split(' Fix: ')
  const ids = [
    ...(entraTraceId === undefined ? [] : [`trace ${entraTraceId}`]),
    ...(entraCorrelationId === undefined ? [] : [`correlation ${entraCorrelationId}`]),
  ]
  return html`${explanation === undefined ? undefined : html`<p>Meaning: ${renderBreakable(explanation)}.</p>`}
    <p>${renderBreakable(problem)}</p>
    ${fix === undefined ? undefined : html`<p><strong>Fix:</strong> ${renderBreakable(fix)}.</p>`}
    ${
      ids.length === 0
        ? undefined
        : html`<p class="quiet small">For support: ${renderMono(ids.join(', '))}</p>`
    }`
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

/** Formats a time as `12:00:00 UTC`, with the date unless it is the day of `now`. */
export function formatClock(time: string, now: string): string {
  const clock = `${time.slice(11, 19)} UTC`
  return time.slice(0, 10) === now.slice(0, 10) ? clock : `${time.slice(0, 10)} ${clock}`
}
