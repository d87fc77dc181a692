/** Ways to Entra ID that are broken below HTTP, each with real sockets. */
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import { Agent, buildConnector, type Dispatcher } from 'undici'
import { createCertificateAuthority } from '../../src/lib/x509.ts'
import { portOf } from '../fixtures/listening.ts'

/** A dispatcher whose connections all meet the same trouble. */
interface BrokenWay extends AsyncDisposable {
  readonly dispatcher: Dispatcher
}

/** By what is broken. Use each with `await using`. */
export const BROKEN_WAYS = {
  'a port that refuses connections': async () => {
    const server = await listening(createServer())
    const port = portOf(server)
    await new Promise((resolve) => server.close(resolve))
    return wayTo(port)
  },
  'a name that does not resolve': () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
    const dispatcher = new Agent({
      connect: { lookup: (_name, _options, done) => done(error, '') },
    })
    return Promise.resolve(disposable(dispatcher, () => Promise.resolve()))
  },
  'a black hole that accepts and says nothing': async () =>
    wayThrough(await listening(createServer(() => {}))),
  'a peer that hangs up at once': async () =>
    wayThrough(await listening(createServer((socket) => socket.destroy()))),
  'a peer that resets the handshake': async () =>
    wayThrough(await listening(createServer((socket) => socket.resetAndDestroy()))),
  'a certificate of an authority nobody trusts': async () => {
    const authority = await createCertificateAuthority()
    const { certPem, keyPem } = await authority.issue({ names: ['entra.test'] })
    return wayThrough(await listening(createHttpsServer({ cert: certPem, key: keyPem })))
  },
  'a peer that does not speak TLS': async () => wayThrough(await listening(createHttpServer())),
} satisfies Record<string, () => Promise<BrokenWay>>

function wayTo(port: number, close: () => Promise<void> = () => Promise.resolve()): BrokenWay {
  const connector = buildConnector({})
  const dispatcher = new Agent({
    connect: (options, done) =>
      connector({ ...options, hostname: '127.0.0.1', port: String(port) }, done),
  })
  return disposable(dispatcher, close)
}

function wayThrough(server: Server): BrokenWay {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  return wayTo(portOf(server), async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
}

function disposable(dispatcher: Dispatcher, close: () => Promise<void>): BrokenWay {
  return {
    dispatcher,
    [Symbol.asyncDispose]: async () => {
      await dispatcher.destroy()
      await close()
    },
  }
}

function listening<T extends Server>(server: T): Promise<T> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}
