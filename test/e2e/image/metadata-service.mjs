// Answers at 169.254.169.254 of a node in place of the machine's metadata service, and records its requests.
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'

const ADDRESS = '169.254.169.254'
const REQUESTS = '/stand-in/requests'
const paths = []

const ip = (verb) => execFileSync('ip', ['address', verb, `${ADDRESS}/32`, 'dev', 'lo'])

ip('replace')
createServer((request, reply) => {
  const { url } = request
  if (url !== REQUESTS) paths.push(url)
  else if (request.method === 'DELETE') paths.length = 0
  reply.setHeader('content-type', 'application/json')
  reply.end(JSON.stringify(url === REQUESTS ? paths : { from: 'the node', url }))
}).listen(80, ADDRESS)
// No rule redirects this port, so it shows whether the address itself can be reached.
createServer((_, reply) => reply.end('from the node')).listen(8080, ADDRESS)

process.on('SIGTERM', () => {
  ip('delete')
  process.exit()
})
