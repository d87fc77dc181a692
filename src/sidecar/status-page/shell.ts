/** The frame of a status page: one HTML page that loads nothing else and refreshes itself. */
import { createHash } from 'node:crypto'
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { formatClock, renderText } from './components.ts'
import { Html, html } from './html.ts'
import { SCRIPT } from './refresh.ts'
import { STYLE } from './style.ts'

export interface Page {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Frame {
  /** The heading. */
  readonly name: string
  readonly generatedAt: string
  /** The state, which decides the colour, and its title. */
  readonly state: StatusDocument['state']
  readonly title: string
  readonly content: Html
  /** The query of this page and of its JSON, with its `?`; empty: none. */
  readonly query: string
}

/** Renders a page. */
export function renderShell(frame: Frame): Page {
  const { name, generatedAt, state, title, content, query } = frame
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
          <div role="status" id="state">
            <span class="tag ${state}">${title}</span>
          </div>
          <p>
            <span id="live">As of ${formatClock(generatedAt, generatedAt)}</span>
            <button type="button" id="pause">Pause</button>
            <noscript><a href="/status${query}">Reload</a></noscript>
          </p>
        </header>
        <main>${content}</main>
        <footer>
          <p>
            The same as <a href="/status.json${query}">JSON</a>; <a href="/metrics">metrics</a>. No
            token is ever shown here.
          </p>
        </footer>
        ${SCRIPT_ELEMENT}
      </body>
    </html> `
  return { headers: HEADERS, body: markup }
}

// Not through `html`: the policy has the hashes of these exact texts.
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`)
const SCRIPT_ELEMENT = new Html(`<script type="module">${SCRIPT}</script>`)

const hash = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`

/** The Content-Security-Policy allows the page's own style and script and nothing else. */
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': [
    "default-src 'none'",
    `style-src '${hash(STYLE)}'`,
    `script-src '${hash(SCRIPT)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}
