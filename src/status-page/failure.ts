/** A failure in words: its code, what happened, what to do, and the ids for a support ticket. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { type Html, html } from './html.ts'

type Failure = StatusDocument['refusals'][number]['failure']

/** Red for what keeps tokens from coming; grey for what a caller is rightly told. */
export function codeTag({ code }: Failure, tone: 'refused' | 'starting' = 'refused'): Html {
  return html`<span class="tag mono ${tone}">${code}</span>`
}

/** What happened (`meaning`: in other words than Entra ID's) and what to do about it. */
export function explanation(
  { message, entraTraceId, entraCorrelationId }: Failure,
  meaning?: string,
): Html {
  // Entra ID repeats the ids, and the time, at the end of its sentence; the remedy comes after it.
  const [said = '', remedy] = message
    .replace(/\s+Trace ID:.*?Timestamp: [\d:\- ]+Z/s, '')
    .split(' Fix: ')
  const ids = [
    ...(entraTraceId === undefined ? [] : [`trace ${entraTraceId}`]),
    ...(entraCorrelationId === undefined ? [] : [`correlation ${entraCorrelationId}`]),
  ]
  return html`${meaning === undefined ? undefined : html`<p>It means: ${meaning}.</p>`}
    <p>${said}</p>
    ${remedy === undefined ? undefined : html`<p><strong>What to do:</strong> ${remedy}.</p>`}
    ${
      ids.length === 0
        ? undefined
        : html`<p class="quiet small">For support: <span class="mono">${ids.join(', ')}</span></p>`
    }`
}
