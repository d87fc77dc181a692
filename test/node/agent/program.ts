/** Programs of tests in the place of a broker. */
import { type ChildProcess, spawn } from 'node:child_process'

/** The broker's side of the channels: `send`, `onMessage`, and `sockets` by their numbers. */
export const CHANNELS = `
  const channel = new (require('node:net').Socket)({ fd: 4, readable: true, writable: true })
  channel.on('close', () => process.exit())
  const send = (message, done) => channel.write(JSON.stringify(message) + '\\n', done)
  const onMessage = (handle) =>
    require('node:readline').createInterface({ input: channel }).on('line', (line) => handle(JSON.parse(line)))
  const sockets = new Map()
  process.on('message', ({ socket }, received) => {
    sockets.set(socket, received)
    send({ type: 'received', socket })
  })
`

/** Opens no connection for a broker. */
export const NO_CONNECTION = (): Promise<never> => Promise.reject(new Error('no network'))

/** Starts a script with the channels of a broker. */
export function startScript(script: string, program = process.execPath): ChildProcess {
  return spawn(program, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'] })
}
