/** The routes of the agent's admin port for people on loopback: the status of the node and of each pod. */
import type { ServerResponse } from 'node:http'
import type { Routes } from '../../service/admin.ts'
import { findParameter, redirectToStatus, sendJson, sendPage } from '../../service/send.ts'
import { StatusSchema } from '../../broker/telemetry/status-schema.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { formatPod } from '../broker/messages.ts'
import type { BrokerList } from './namespace-broker.ts'
import { createNodeStatus } from './node-status.ts'
import type { Reconciler } from './reconciler.ts'

interface NodeParts {
  readonly reconciler: Pick<Reconciler, 'pods'>
  readonly brokers: BrokerList
}

/** Creates the routes. `/status?pod=NAMESPACE/NAME` or `?pod=UID` is the page of one pod, like the page of a sidecar. */
export function createNodeRoutes(node: string, { reconciler, brokers }: NodeParts): Routes {
  /** Returns the pod that the query names, and its document; sends an error if there is none. */
  async function findServed(query: string, response: ServerResponse) {
    // The newest pod: an earlier pod of the same name may still be served.
    const found = [...reconciler.pods.values()].findLast(({ pod }) =>
      [pod.uid, formatPod(pod)].includes(query),
    )
    const uid = found?.pod.uid ?? ''
    const broker = brokers.all().find(({ pods }) => pods.some((pod) => pod.uid === uid))
    const { data: document } = StatusSchema.safeParse(await broker?.ask({ about: 'pod', uid }))
    if (found !== undefined && document !== undefined) return { pod: found.pod, document }
    const reason = found?.error === undefined ? '' : `: ${errorMessage(found.error)}`
    sendJson(response, 404, { error: `the pod ${query} is not served${reason}` })
    return undefined
  }

  return {
    '/': redirectToStatus,
    '/status': async (request, response) => {
      const query = findParameter(request, 'pod')
      if (query === undefined) {
        const { renderNodePage } = await import('./node-page.ts')
        sendPage(request, response, renderNodePage(createNodeStatus(node, reconciler.pods)))
        return
      }
      const served = await findServed(query, response)
      if (served === undefined) return
      const { pod, document } = served
      const { renderPage } = await import('../../broker/status-page/page.ts')
      sendPage(request, response, renderPage(document, { name: formatPod(pod), uid: pod.uid }))
    },
    '/status.json': async (request, response) => {
      const query = findParameter(request, 'pod')
      const document =
        query === undefined
          ? createNodeStatus(node, reconciler.pods)
          : (await findServed(query, response))?.document
      if (document !== undefined) sendJson(response, 200, document)
    },
  }
}
