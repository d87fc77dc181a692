/** The status page of a node: all its pods, the worst first, each with a link to the page of its workload. */
import { html } from '../../sidecar/status-page/html.ts'
import { renderSection, renderTable, renderText } from '../../sidecar/status-page/components.ts'
import { type Page, renderShell } from '../../sidecar/status-page/shell.ts'
import { formatPod } from './messages.ts'
import type { NodeStatus, PodStatus } from './node-status.ts'

const COLUMNS = ['pod', 'serviceAccount', 'state', 'cachedTokens', 'problem']

/** Renders the page. */
export function renderNodePage({ node, generatedAt, pods }: NodeStatus): Page {
  const [worst] = pods
  return renderShell({
    name: node,
    generatedAt,
    state: worst === undefined ? 'ready' : toState(worst),
    title: worst === undefined ? 'No pods' : `${pods.length} pods, the worst ${worst.state}`,
    content: renderSection('pods', renderTable(COLUMNS, pods.map(toRow), generatedAt)),
    query: '',
  })
}

/** Returns a state of a sidecar's page, for the colour. */
function toState({ state }: PodStatus) {
  return state === 'waiting' || state === 'invalid' ? 'failing' : state
}

function toRow({ uid, serviceAccount, state, cachedTokens, problem, ...pod }: PodStatus) {
  const text = renderText(formatPod(pod))
  const hasPage = state !== 'waiting' && state !== 'invalid'
  return {
    pod: hasPage ? html`<a href="/status?pod=${uid}">${text}</a>` : text,
    serviceAccount,
    state,
    cachedTokens,
    problem,
  }
}
