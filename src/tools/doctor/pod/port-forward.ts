/** Reads a status document at a port on the loopback address of a pod, by `kubectl port-forward`. */
import { formatFlags, KubectlFailure } from '../kubectl.ts'
import { type KubectlIo, startKubectl } from '../run-kubectl.ts'
import { readStatus, type ReportedStatus } from '../status.ts'

interface PodPort {
  readonly namespace: string
  readonly name: string
  readonly port: number
  /** The query of the URL; a sidecar needs none. */
  readonly query?: string
}

/** Throws what `readStatus` throws, and ends the check as not made if the port cannot be reached. */
export type ReadForwarded = (target: PodPort) => Promise<ReportedStatus | undefined>

/** Creates the function, which starts a kubectl for each document and ends it. */
export function createPortForward(io: KubectlIo, context: string | undefined): ReadForwarded {
  return async ({ namespace, name, port, query = '' }) => {
    const args = ['port-forward', name, `:${port}`, '--address=127.0.0.1']
    const flags = formatFlags({ context, namespace })
    const { stdout, ended, stop } = startKubectl([...flags, ...args], io)
    const { promise: forwarded, resolve } = Promise.withResolvers<string | undefined>()
    let output = ''
    stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const [, local] = /^Forwarding from 127\.0\.0\.1:(\d+) /m.exec(output) ?? []
      if (local !== undefined) resolve(local)
    })
    void ended.then(() => resolve(undefined))
    const local = await forwarded
    if (local === undefined) throw new KubectlFailure(args, await ended)
    try {
      return await readStatus(`http://127.0.0.1:${local}/status.json${query}`)
    } finally {
      stop('it is no longer needed')
      await ended
    }
  }
}
