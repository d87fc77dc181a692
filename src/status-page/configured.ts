/** What was configured: projected tokens, identities and settings. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { codeTag, explanation } from './failure.ts'
import { type Html, html } from './html.ts'
import { empty, section, table } from './table.ts'
import { clockTime, relative } from './words.ts'

/** A card for each projected token: its claims, or why it cannot be read. */
export function assertionsSection({ assertions, generatedAt: now }: StatusDocument): Html {
  const title = 'Projected token'
  if (assertions.length === 0) return section('assertions', title, empty('Not read yet.'))
  const cards = assertions.map(
    ({ file, claims, failure }) =>
      html`<li class="card">
        <h3 class="mono">${file}</h3>
        ${
          failure === undefined
            ? undefined
            : html`<p>${codeTag(failure)}</p>
                ${explanation(failure)}`
        }${claims === undefined ? undefined : claimsList(claims, now)}
      </li>`,
  )
  return section(
    'assertions',
    title,
    html`<ul class="cards">
      ${cards}
    </ul>`,
  )
}

function claimsList(
  claims: NonNullable<StatusDocument['assertions'][number]['claims']>,
  now: string,
): Html {
  const { issuer, subject, audience, expiresAt } = claims
  const items = [
    ['Issuer', issuer],
    ['Subject', subject],
    ['Audience', audience.join(', ')],
    ['Expires', `${relative(expiresAt, now)}, ${clockTime(expiresAt, now)}`],
  ] as const
  return html`<dl class="facts small">
    ${items.map(
      ([term, value]) =>
        html`<div>
          <dt>${term}</dt>
          <dd class="mono">${value}</dd>
        </div>`,
    )}
  </dl>`
}

/** A row for each identity, and whether others may be named. */
export function identitiesSection(status: StatusDocument): Html {
  const { identities, allowsUnlistedClientIds } = status
  const others = allowsUnlistedClientIds
    ? 'Requests may name other client ids, too.'
    : 'Requests may name no other client id.'
  const rows =
    identities.length === 0
      ? undefined
      : table(
          'Identities',
          [
            {
              title: 'Name',
              cell: ({ name, isDefault }) =>
                html`${name}${isDefault ? html` <span class="tag starting">default</span>` : undefined}`,
            },
            { title: 'Client id', cell: ({ clientId }) => mono(clientId) },
            { title: 'Tenant', cell: ({ tenantId }) => mono(tenantId) },
            {
              title: 'Cloud',
              cell: ({ authorityHost }) => authorityHost.replace('https://', ''),
              width: 'name',
            },
            { title: 'Resources', cell: ({ resources }) => resources?.join(', ') ?? 'any' },
          ],
          identities,
        )
  return section(
    'identities',
    'Identities',
    html`<div class="box">
      ${rows}
      <p class="empty small">${others}</p>
    </div>`,
  )
}

/** The settings, folded away, below what is to be checked about them. */
export function settingsSection(status: StatusDocument): Html {
  const { settings, warnings } = status
  const rows = table(
    'Settings',
    [
      { title: 'Setting', cell: ({ name }) => mono(name) },
      { title: 'Value', cell: ({ value }) => mono(value) },
      { title: 'From', cell: ({ origin }) => origin, width: 'short' },
    ],
    settings,
  )
  const notes = warnings.map(
    (warning) => html`<p class="small"><span class="tag degraded">check</span> ${warning}</p>`,
  )
  return section(
    'settings',
    'Settings',
    html`${notes}
      <details class="box">
        <summary>${settings.length} settings in force</summary>
        ${rows}
      </details>`,
  )
}

function mono(text: string): Html {
  return html`<span class="mono">${text}</span>`
}
