/** The frame of a status page: one HTML page without a script, which loads nothing else. */
import { createHash } from 'node:crypto'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { formatClock, renderText } from './components.ts'
import { Html, html } from './html.ts'
import { STYLE } from './style.ts'

export type Page = ReturnType<typeof renderShell>

interface Frame {
  readonly name: string
  readonly generatedAt: string
  /** The state, which decides the colour, and its title. */
  readonly state: StatusDocument['state']
  readonly title: string
  readonly content: Html
  /** The query of the page and its JSON, with its `?`; empty: none. */
  readonly query: string
}

export function renderShell({ name, generatedAt, state, title, content, query }: Frame) {
  const { markup } = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} &ndash; ${name} &ndash; wimds</title>
        <link rel="icon" href="data:," />
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header>
          <h1>${renderText(name)}</h1>
          <p>
            <span class="tag ${state}">${title}</span> ${formatClock(generatedAt, generatedAt)}.
            Reload <a href="/status${query}">once</a> or
            <a href="/status?refresh${query.replace('?', '&')}">every 10 s</a>.
          </p>
        </header>
        <main>${content}</main>
        <footer>
          <p>
            The same as <a href="/status.json${query}">JSON</a>; <a href="/metrics">metrics</a>. No
            token is ever shown here.
          </p>
        </footer>
      </body>
    </html> `
  return { headers: HEADERS, body: markup }
}

// Not through `html`: the policy has the hash of this exact text.
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`)
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** The Content-Security-Policy allows the page's own style and nothing else. */
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}
