/** The status page of a node: all its pods, the worst first, each with a link to the page of its workload. */
import { renderSection, renderTable, renderText } from '../../broker/status-page/components.ts'
import { html } from '../../broker/status-page/html.ts'
import { type Page, renderShell } from '../../broker/status-page/shell.ts'
import { formatPod } from '../broker/messages.ts'
import type { NodeStatus } from './node-status.ts'

/** The states of a sidecar's page with the same colours. */
const COLOURS = { waiting: 'failing', starting: 'starting', serving: 'ready' } as const

export function renderNodePage({ node, generatedAt, pods }: NodeStatus): Page {
  const { state = 'serving' } = pods[0] ?? {}
  const rows = pods.map(({ uid, ...pod }) => {
    const text = renderText(formatPod(pod))
    const isServed = pod.state === 'serving'
    return { ...pod, pod: isServed ? html`<a href="/status?pod=${uid}">${text}</a>` : text }
  })
  const table = renderTable(['pod', 'serviceAccount', 'state', 'problem'], rows, generatedAt)
  return renderShell({
    name: node,
    generatedAt,
    state: COLOURS[state],
    title: pods.length === 0 ? 'No pods' : `${pods.length} pods, the worst ${state}`,
    content: renderSection('pods', table),
    query: '',
  })
}
