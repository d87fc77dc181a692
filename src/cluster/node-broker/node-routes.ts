/** The routes of the broker's admin port for people on loopback: the status of the node and of each pod. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Routes } from '../../sidecar/server/admin.ts'
import { redirectToStatus, sendJson, sendPage } from '../../sidecar/server/send.ts'
import { createNodeStatus, findWorkload } from './node-status.ts'
import type { Workload } from './workload.ts'

interface NodeRouteParts {
  readonly node: string
  readonly workloads: () => readonly Workload[]
}

/** Creates the routes. `/status?pod=NAMESPACE/NAME` is the page of one pod, as that of a sidecar. */
export function createNodeRoutes({ node, workloads }: NodeRouteParts): Routes {
  /** Returns the document of the pod that the query names; sends an error if there is none. */
  function findDocument(pod: string, response: ServerResponse) {
    const document = findWorkload(workloads(), pod)?.document()
    if (document === undefined) sendJson(response, 404, { error: `no such pod is served: ${pod}` })
    return document
  }

  return {
    '/': redirectToStatus,
    '/status': async (request, response) => {
      const pod = readPod(request)
      if (pod === undefined) {
        const { renderNodePage } = await import('./node-page.ts')
        sendPage(response, renderNodePage(createNodeStatus(node, workloads())))
        return
      }
      const document = findDocument(pod, response)
      if (document === undefined) return
      const { renderPage } = await import('../../sidecar/status-page/page.ts')
      sendPage(response, renderPage(document, pod))
    },
    '/status.json': (request, response) => {
      const pod = readPod(request)
      const document =
        pod === undefined ? createNodeStatus(node, workloads()) : findDocument(pod, response)
      if (document !== undefined) sendJson(response, 200, document)
    },
  }
}

function readPod({ url = '/' }: IncomingMessage): string | undefined {
  return new URL(url, 'http://localhost').searchParams.get('pod') ?? undefined
}
