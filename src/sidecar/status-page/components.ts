/** The components of the status page: sections, tables, facts and commands. Labels are the names in the document. */
import { Html, html } from './html.ts'

/** A value of the status document, or HTML in place of one. */
type Value =
  | Html
  | string
  | number
  | boolean
  | undefined
  | readonly Value[]
  | { readonly [name: string]: Value }

export type Row = Readonly<Record<string, Value>>

/** Renders a section. */
export function renderSection(name: string, content: Html): Html {
  return html`<section id="${name}" aria-labelledby="${name}-title">
    <h2 id="${name}-title">${formatLabel(name)}</h2>
    ${content}
  </section>`
}

/**
 * Renders a table whose first column names the row. Roles are explicit, since the `display: block` of a phone drops
 * them.
 */
export function renderTable(columns: readonly string[], rows: readonly Row[], now: string): Html {
  const heads = columns.map(
    (name) => html`<th scope="col" role="columnheader">${formatLabel(name)}</th>`,
  )
  const body = rows.map((row) => {
    const [first = '', ...others] = columns
    const cells = others.map(
      (name) =>
        html`<td role="cell" data-label="${formatLabel(name)}">
          ${renderMember(name, row, now)}
        </td>`,
    )
    return html`<tr role="row">
      <th scope="row" role="rowheader">${renderMember(first, row, now)}</th>
      ${cells}
    </tr>`
  })
  return html`<table role="table">
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

/** Renders a list of the members that have a value. */
export function renderFacts(facts: Row, now: string): Html {
  const known = Object.keys(facts).filter((name) => facts[name] !== undefined)
  return html`<dl>
    ${known.map(
      (name) =>
        html`<div>
          <dt>${formatLabel(name)}</dt>
          <dd>${renderMember(name, facts, now)}</dd>
        </div>`,
    )}
  </dl>`
}

const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/

function renderMember(name: string, row: Row, now: string): Html {
  const value = row[name]
  // It is due, and waits for a request.
  if (name === 'nextAttemptAt' && typeof value === 'string' && value <= now) {
    return renderText('at the next request')
  }
  return renderValue(value, now)
}

function renderValue(value: Value, now: string): Html {
  if (value instanceof Html) return value
  if (typeof value === 'string')
    return INSTANT.test(value) ? renderTime(value, now) : renderText(value)
  if (typeof value === 'boolean') return renderText(value ? 'yes' : 'no')
  if (typeof value === 'number') return renderText(String(value))
  if (isList(value)) return html`${value.map((item) => html`<div>${renderValue(item, now)}</div>`)}`
  return value === undefined ? renderText('–') : renderFacts(value, now)
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/** Formats the name of a member: `nextAttemptAt` is `Next attempt`. */
function formatLabel(name: string): string {
  const words = name
    .replace(/(?<=.)At$/, '')
    .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return capitalize(words)
}

/** Renders a text that wraps after punctuation where its words have no room. */
export function renderText(text: string): Html {
  const parts = text.split(/(?<=[/.:_?&=@",-])(?=[\p{L}\p{N}])/u)
  return html`${parts.map((part, at) => (at === 0 ? part : html`<wbr />${part}`))}`
}

/** Renders a command to copy. */
export function renderCommand(command: string): Html {
  return html`<div class="command">
    <pre><code>${renderText(command)}</code></pre>
    <button type="button">Copy</button>
  </div>`
}

/** Returns the text with its first letter in upper case. */
export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
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
  return html`<time datetime="${time}"
    >${relative} <span class="quiet">${formatClock(time, now)}</span></time
  >`
}

/** Formats a time as `12:00:00 UTC`, with the date unless it is the day of `now`. */
export function formatClock(time: string, now: string): string {
  const clock = `${time.slice(11, 19)} UTC`
  return time.slice(0, 10) === now.slice(0, 10) ? clock : `${time.slice(0, 10)} ${clock}`
}
