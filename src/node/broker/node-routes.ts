/** The routes of the broker's admin port for people on loopback: the status of the node and of each pod. */
import type { ServerResponse } from 'node:http'
import type { Routes } from '../../broker/server/admin.ts'
import { findParameter, redirectToStatus, sendJson, sendPage } from '../../broker/server/send.ts'
import { formatProblem } from '../../lib/errors.ts'
import { formatPod } from './messages.ts'
import { createNodeStatus } from './node-status.ts'
import type { Workloads } from './workloads.ts'

interface NodeRouteParts {
  readonly node: string
  readonly workloads: Workloads
}

/** Creates the routes. `/status?pod=NAMESPACE/NAME` or `?pod=UID` is the page of one pod, like the page of a sidecar. */
export function createNodeRoutes({ node, workloads }: NodeRouteParts): Routes {
  /** Returns the pod that the query names, and its document; sends an error if there is none. */
  function findServed(query: string, response: ServerResponse) {
    const found = workloads.find(query)
    const document = found?.workload.document()
    if (found !== undefined && document !== undefined) return { pod: found.pod, document }
    const problem = found?.workload.problem
    const reason = problem === undefined ? '' : `: ${formatProblem(problem)}`
    sendJson(response, 404, { error: `the pod ${query} is not served${reason}` })
    return undefined
  }

  return {
    '/': redirectToStatus,
    '/status': async (request, response) => {
      const query = findParameter(request, 'pod')
      if (query === undefined) {
        const { renderNodePage } = await import('./node-page.ts')
        sendPage(request, response, renderNodePage(createNodeStatus(node, workloads)))
        return
      }
      const served = findServed(query, response)
      if (served === undefined) return
      const { pod, document } = served
      const { renderPage } = await import('../../broker/status-page/page.ts')
      sendPage(request, response, renderPage(document, { name: formatPod(pod), uid: pod.uid }))
    },
    '/status.json': (request, response) => {
      const query = findParameter(request, 'pod')
      const document =
        query === undefined
          ? createNodeStatus(node, workloads)
          : findServed(query, response)?.document
      if (document !== undefined) sendJson(response, 200, document)
    },
  }
}
