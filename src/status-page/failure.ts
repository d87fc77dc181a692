/** A failure in words: its code, what happened and what to do, and the ids for a support ticket. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { type Html, html } from './html.ts'

type Failure = StatusDocument['refusals'][number]['failure']

export function codeTag({ code }: Failure): Html {
  return html`<span class="tag refused mono">${code}</span>`
}

export function explanation(failure: Failure, meaning?: string): Html {
  const { message, entraTraceId, entraCorrelationId } = failure
  const ids = [
    entraTraceId === undefined ? '' : `trace ${entraTraceId}`,
    entraCorrelationId === undefined ? '' : `correlation ${entraCorrelationId}`,
  ].filter((id) => id !== '')
  // Entra ID repeats the ids, and the time, at the end of its sentence.
  const said = message.replace(/\s+Trace ID:.*?Timestamp: [\d:\- ]+Z/s, '')
  return html`${meaning === undefined ? undefined : html`<p>It means: ${meaning}.</p>`}
    <p>${said}</p>
    ${
      ids.length === 0
        ? undefined
        : html`<p class="quiet small">For support: <span class="mono">${ids.join(', ')}</span></p>`
    }`
}
