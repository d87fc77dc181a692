/** Reaches a port on the loopback address of a pod, by `kubectl port-forward`. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { extractReason, formatFlags, type KubectlOptions } from '../kubectl.ts'

/** A port of this machine that leads to one of a pod until it is disposed of. */
interface ForwardedPort extends AsyncDisposable {
  readonly port: number
}

export interface PodPort {
  readonly namespace: string
  readonly name: string
  readonly port: number
}

/** Returns the port, or why there is none, in the words of kubectl. */
export type ForwardPort = (target: PodPort) => Promise<ForwardedPort | string>

const TIMEOUT_MS = 30_000

/** Creates the function that starts kubectl, which ends after the time limit at the latest. */
export function createPortForward(
  { env, signal, context }: Pick<KubectlOptions, 'env' | 'signal' | 'context'>,
  timeoutMs = TIMEOUT_MS,
): ForwardPort {
  return async ({ namespace, name, port }) => {
    const flags = formatFlags({ context, namespace })
    const args = [...flags, 'port-forward', '--address=127.0.0.1', name, `:${port}`]
    const child = spawn('kubectl', args, {
      env: { ...env },
      signal,
      timeout: timeoutMs,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    // The command has been run before; an abort ends doctor.
    child.on('error', () => {})
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    for await (const line of createInterface({ input: child.stdout })) {
      const [, local] = /^Forwarding from 127\.0\.0\.1:(\d+) /.exec(line) ?? []
      if (local === undefined) continue
      // kubectl prints a line for each connection.
      child.stdout.resume()
      const end = () => {
        child.kill()
        // A program that kubectl has started may keep the other ends open.
        child.stdout.destroy()
        child.stderr.destroy()
        return closed
      }
      return { port: Number(local), [Symbol.asyncDispose]: end }
    }
    await closed
    return child.signalCode === null
      ? extractReason(stderr)
      : `kubectl port-forward: no answer within ${timeoutMs / 1000} s`
  }
}
