/** The status page of a node: all its pods, the worst first, each with a link to the page of its workload. */
import { renderSection, renderTable, renderText } from '../../broker/status-page/components.ts'
import { html } from '../../broker/status-page/html.ts'
import { type Page, renderShell } from '../../broker/status-page/shell.ts'
import { formatPod } from '../broker/messages.ts'
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

/** Returns true for the two states of a pod that is not served; a sidecar has neither. */
function isUnserved(state: PodStatus['state']): state is 'waiting' | 'invalid' {
  return state === 'waiting' || state === 'invalid'
}

/** Returns a state of a sidecar's page, for the colour. */
function toState({ state }: PodStatus) {
  return isUnserved(state) ? 'failing' : state
}

function toRow({ uid, serviceAccount, state, cachedTokens, problem, ...pod }: PodStatus) {
  const text = renderText(formatPod(pod))
  return {
    pod: isUnserved(state) ? text : html`<a href="/status?pod=${uid}">${text}</a>`,
    serviceAccount,
    state,
    cachedTokens,
    problem,
  }
}
