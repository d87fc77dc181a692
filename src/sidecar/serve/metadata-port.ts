/** The HTTP application of the metadata ports, which all pods share. */
import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { createMetadataApp } from '../server/app.ts'
import { listen, type Listener, type ListenTarget } from '../server/listen.ts'
import type { Pod } from '../server/pod.ts'
import { systemClock } from '../tokens/clock.ts'

/** Answers the requests of a pod, which come over these sockets. */
type ListenForPod = (pod: Pod, sockets: readonly ListenTarget[]) => Promise<Listener>

/**
 * Creates the application. Each pod has its own sockets and its own cap on connections; `schedule` decides when its requests
 * are answered, by default at once.
 */
export function createMetadataPort(
  schedule: (answer: RequestListener) => RequestListener = (answer) => answer,
): ListenForPod {
  const pods = new WeakMap<Socket, Pod>()
  const app = createMetadataApp({
    findPod: ({ socket }) => {
      const pod = pods.get(socket)
      if (pod === undefined) throw new Error('the request came over the socket of no pod')
      return pod
    },
    clock: systemClock,
  })
  return async (pod, sockets) => {
    await app.ready()
    const answer: RequestListener = (request, response) => {
      pods.set(request.socket, pod)
      app.routing(request, response)
    }
    return listen(schedule(answer), sockets, { maxConnections: pod.maxConnections })
  }
}
