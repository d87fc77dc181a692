/** The status page of a node: all its pods, the worst first, each with a link to the page of its workload. */
import { html } from '../../sidecar/status-page/html.ts'
import { renderSection, renderTable, renderText } from '../../sidecar/status-page/components.ts'
import { type Page, renderShell } from '../../sidecar/status-page/shell.ts'
import { formatPod, type NodeStatus, type PodStatus } from './node-status.ts'

const COLUMNS = ['pod', 'serviceAccount', 'state', 'cachedTokens', 'problem']

/** Renders the page. */
export function renderNodePage({ node, generatedAt, pods }: NodeStatus): Page {
  const [worst] = pods
  return renderShell({
    name: node,
    generatedAt,
    state: worst?.state === 'invalid' ? 'failing' : (worst?.state ?? 'ready'),
    title: worst === undefined ? 'No pods' : `${pods.length} pods, the worst ${worst.state}`,
    content: renderSection('pods', renderTable(COLUMNS, pods.map(toRow), generatedAt)),
    query: '',
  })
}

function toRow({ uid, serviceAccount, state, cachedTokens, problem, ...pod }: PodStatus) {
  return {
    pod: html`<a href="/status?pod=${uid}">${renderText(formatPod(pod))}</a>`,
    serviceAccount,
    state,
    cachedTokens,
    problem,
  }
}
