/** The components of the status page: sections, tables and facts. */
import { Html, html } from './html.ts'

/** A value of the status document, or HTML in place of one. */
type Value = Html | string | number | boolean | undefined | Value[] | Row

export interface Row {
  readonly [name: string]: Value
}

export function renderSection(name: string, content: Html): Html {
  return html`<section id="${name}" aria-labelledby="${name}-title">
    <h2 id="${name}-title">${formatLabel(name)}</h2>
    ${content}
  </section>`
}

/**
 * Renders a section that is folded on a phone, with the number of its rows. A wide screen shows its content, if the browser can
 * (`::details-content`, 2025); elsewhere a click unfolds it.
 */
export function renderFolded(name: string, content: Html, count?: number, note?: string): Html {
  return html`<section id="${name}" aria-labelledby="${name}-title">
    <details>
      <summary>
        <h2 id="${name}-title">${formatLabel(name)}</h2>
        ${count !== undefined && html`<span class="quiet">${count}</span>`}
      </summary>
      ${note && html`<p class="quiet">${note}</p>`} ${content}
    </details>
  </section>`
}

/** Renders a table whose first column names the row. On a phone, the cells have the labels of their columns. */
export function renderTable(columns: readonly string[], rows: readonly Row[], now: string): Html {
  if (rows.length === 0) return html`<p class="quiet">None.</p>`
  const heads = columns.map((name) => html`<th scope="col">${formatLabel(name)}</th>`)
  const renderCell = (name: string, row: Row) => {
    const content = renderMember(name, row, now)
    return name === columns[0]
      ? html`<th scope="row">${content}</th>`
      : html`<td data-label="${formatLabel(name)}">${content}</td>`
  }
  const body = rows.map((row) => renderTableRow(columns.map((name) => renderCell(name, row))))
  return html`<table>
    ${renderTableRow(heads)} ${body}
  </table>`
}

function renderTableRow(cells: readonly Html[]): Html {
  return html`<tr>
    ${cells}
  </tr>`
}

/** Renders a list of the members that have a value. */
export function renderFacts(facts: Row, now: string): Html {
  const known = Object.keys(facts).filter((name) => facts[name] !== undefined)
  const items = known.map(
    (name) =>
      html`<div>
        <dt>${formatLabel(name)}</dt>
        <dd>${renderMember(name, facts, now)}</dd>
      </div>`,
  )
  return html`<dl>${items}</dl>`
}

function renderMember(name: string, row: Row, now: string): Html {
  const value = row[name]
  // The attempt is due, and the next request makes it.
  if (name === 'nextAttemptAt' && typeof value === 'string' && value <= now) {
    return html`at the next request`
  }
  return renderValue(value, now)
}

const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/

function renderValue(value: Value, now: string): Html {
  if (value instanceof Html) return value
  if (Array.isArray(value))
    return html`${value.map((item) => html`<div>${renderValue(item, now)}</div>`)}`
  if (typeof value === 'object') return renderFacts(value, now)
  if (typeof value === 'boolean') return html`${value ? 'yes' : 'no'}`
  const text = value === undefined ? '–' : String(value)
  return INSTANT.test(text) ? renderTime(text, now) : renderText(text)
}

/** Members whose name says too little, or too much, to a reader of the page. */
const LABELS: Readonly<Record<string, string>> = {
  aadsts: 'AADSTS',
  at: 'Time',
  lastAt: 'Last time',
  isDefault: 'Default',
  durationMs: 'Milliseconds',
  consecutiveFailures: 'Failures in a row',
  clockSkewSeconds: 'Seconds ahead of Entra ID',
  logLevel: 'Logs from level',
  allowsUnlistedClientIds: 'Accepts unlisted client ids',
  node: 'Node.js',
  cached: 'Cached token',
  assertions: 'Projected tokens',
  authorityHost: 'Login host',
}

/** Formats the name of a member: `nextAttemptAt` is `Next attempt`, `aadsts` is `AADSTS`. */
function formatLabel(name: string): string {
  const label = LABELS[name]
  if (label !== undefined) return label
  const words = name.replace(/(?<=.)At$/, '')
  return capitalize(words.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`))
}

export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

/** Renders a text that wraps after punctuation where its words have no room. */
export function renderText(text: string): Html {
  const parts = text.split(/(?<=[/.:_?&=@",-])(?=[\p{L}\p{N}])/u)
  return html`${parts.map((part, at) => (at === 0 ? part : html`<wbr />${part}`))}`
}

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const

/** Renders a time as `5 min ago`, in its largest unit, and on the clock. */
function renderTime(time: string, now: string): Html {
  const seconds = Math.round((Date.parse(time) - Date.parse(now)) / 1000)
  const [unit, size] = UNITS.find((each) => Math.abs(seconds) >= each[1]) ?? ['s', 1]
  const length = `${Math.floor(Math.abs(seconds) / size)} ${unit}`
  const relative = seconds > 0 ? `in ${length}` : `${length} ago`
  return html`${relative} <span class="quiet">${formatClock(time, now)}</span>`
}

/** Formats a time as `12:00:00 UTC`, with the date unless it is the day of `now`. */
export function formatClock(time: string, now: string): string {
  const clock = `${time.slice(11, 19)} UTC`
  return time.slice(0, 10) === now.slice(0, 10) ? clock : `${time.slice(0, 10)} ${clock}`
}
