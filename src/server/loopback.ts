/** Whether a request comes from this machine and was meant for it: for what only operators may see. */
import type { IncomingMessage } from 'node:http'

/** `kubectl port-forward` arrives from loopback; a dual-stack socket writes IPv4 peers as IPv6. */
const LOOPBACK_PEER = /^(?:127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/
/** The names of this machine; a page whose name was made to point here (DNS rebinding) sends its own. */
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

/** True for a loopback peer that names this machine as Host and speaks for nobody else. */
export function isLocal({
  socket,
  headers,
}: Pick<IncomingMessage, 'headers'> & { socket: { remoteAddress?: string | undefined } }): boolean {
  return (
    LOOPBACK_PEER.test(socket.remoteAddress ?? '') &&
    LOOPBACK_HOST.test(headers.host ?? '') &&
    headers['x-forwarded-for'] === undefined &&
    headers['forwarded'] === undefined
  )
}
