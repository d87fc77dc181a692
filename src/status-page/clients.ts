/** Who still calls, and what would make the sidecar unnecessary. */
import type { StatusDocument } from '../telemetry/status-schema.ts'
import { type Html, html } from './html.ts'
import { empty, section, table } from './table.ts'
import { relative } from './words.ts'

type Client = StatusDocument['clients'][number]

/** A row for each client library and version. */
export function clientsSection({ clients, generatedAt }: StatusDocument): Html {
  if (clients.length === 0) return section('clients', 'Clients', empty('Nobody has called yet.'))
  const rows = table(
    'Clients',
    [
      { title: 'Library', cell: ({ title }) => title },
      { title: 'Version', cell: ({ version }) => (version === '' ? '–' : version), width: 'short' },
      { title: 'Requests', cell: ({ requests }) => requests, width: 'short' },
      {
        title: 'Last',
        cell: ({ lastSeenAt }) => relative(lastSeenAt, generatedAt),
        width: 'short',
      },
      { title: 'To do without the sidecar', cell: remedy },
    ],
    clients,
  )
  return section('clients', 'Clients', html`<div class="box">${rows}</div>`)
}

function remedy({ supportsWorkloadIdentity, advice }: Client): Html {
  return supportsWorkloadIdentity === true
    ? html`<span class="tag ok">speaks workload identity</span> ${advice}`
    : html`${advice}`
}
