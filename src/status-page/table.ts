/** Sections and tables that keep their meaning when a phone shows each row as a block. */
import { type Html, html } from './html.ts'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => Html | string | number
  /** `short`: never broken into lines; `name`: wide enough for a host name. */
  readonly width?: 'short' | 'name'
}

/** A heading and what is under it. */
export function section(id: string, title: string, content: Html): Html {
  return html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${content}
  </section>`
}

/** What stands where there is nothing to show. */
export function empty(sentence: string): Html {
  return html`<div class="box"><p class="empty">${sentence}</p></div>`
}

/** The first column names the row. Roles are written out, since `display: block` would drop them. */
export function table<Row>(
  label: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Html {
  const heads = columns.map(({ title }) => html`<th scope="col" role="columnheader">${title}</th>`)
  const body = rows.map(
    (row) =>
      html`<tr role="row">
        ${columns.map((column, index) => cell(column, row, index === 0))}
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

function cell<Row>({ title, cell: content, width }: Column<Row>, row: Row, isFirst: boolean): Html {
  return isFirst
    ? html`<th scope="row" role="rowheader" class="${width ?? ''}">${content(row)}</th>`
    : html`<td role="cell" class="${width ?? ''}" data-label="${title}">${content(row)}</td>`
}
