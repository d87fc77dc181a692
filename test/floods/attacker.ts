/**
 * The attacker process: `attacker.ts PORT`. Until SIGTERM it holds 8000 idle connections, drips the headers of 300, and sends 200
 * bodies of a megabyte each second. After 13 s it prints its counts.
 */
import { connect, type Socket } from 'node:net'

const IDLE = 8000
/** Opens all idle connections within a second. Opens each closed one again some seconds later. */
const IDLE_PER_MS = 8
const IDLE_AGAIN_MS = 5000

const SLOW = 300
const DRIP_MS = 50

const BODIES = 200
const WAVE_MS = 1000
/** 13 s is longer than the timeout for headers and the interval of Node's check together. */
const WAVES = 13
const LENGTH = 1_000_000

const HOST = 'Host: 169.254.169.254\r\nMetadata: true\r\n'
const TARGET =
  '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'
/** The heads of requests that are never completed. */
const SLOW_HEAD = `GET ${TARGET} HTTP/1.1\r\n${HOST}X-Slow: ${'y'.repeat(10_000)}`
/** A token request, a wrong method, a form whose Content-Length is too large, and a chunked form that becomes too large. */
const BODY_HEADS = [
  `GET ${TARGET} HTTP/1.1\r\n${HOST}Content-Length: ${LENGTH}\r\n\r\n`,
  `POST ${TARGET} HTTP/1.1\r\n${HOST}Content-Length: ${LENGTH}\r\n\r\n`,
  `POST /oauth2/token HTTP/1.1\r\n${HOST}Content-Length: ${LENGTH}\r\n\r\n`,
  `POST /oauth2/token HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${LENGTH.toString(16)}\r\n`,
]
const BODY = Buffer.alloc(LENGTH, 'x')

let waves = 0
/** `closed` counts connections that drip their headers. */
const did = { opened: 0, closed: 0 }

function idle(): void {
  open(() => setTimeout(idle, IDLE_AGAIN_MS))
}

function drip(): void {
  let sent = 0
  const socket = open(() => {
    did.closed += 1
    clearInterval(dripping)
    setTimeout(drip, DRIP_MS)
  })
  const dripping = setInterval(() => {
    socket.write(SLOW_HEAD.charAt(sent))
    sent += 1
  }, DRIP_MS)
}

function wave(): void {
  for (let index = 0; index < BODIES; index += 1) {
    const socket = open(() => {})
    socket.write(BODY_HEADS[index % BODY_HEADS.length] ?? '')
    socket.write(BODY)
  }
}

function open(onClose: () => void): Socket {
  const socket = connect({ port: Number(process.argv[2]), host: '127.0.0.1' })
  did.opened += 1
  // A reset counts as a close.
  socket.on('error', () => {})
  socket.on('end', () => socket.destroy())
  socket.on('close', onClose)
  return socket
}

for (let index = 0; index < IDLE; index += 1) setTimeout(idle, index / IDLE_PER_MS)
for (let index = 0; index < SLOW; index += 1) drip()
wave()
setInterval(() => {
  wave()
  waves += 1
  if (waves >= WAVES && did.closed >= SLOW) process.stdout.write(`${JSON.stringify(did)}\n`)
}, WAVE_MS)
