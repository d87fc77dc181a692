/** A simulated metadata service of the node, which records its requests. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { run } from './run.ts'

const ADDRESS = '169.254.169.254'
export const OTHER_PORT = 8080
const REQUESTS = '/stand-in/requests'

/** Adds the address to the node and serves on it. */
export async function startRealImds(): Promise<AsyncDisposable> {
  const paths: string[] = []
  await run('ip', ['address', 'replace', `${ADDRESS}/32`, 'dev', 'lo'])
  const server = createServer((request, reply) => {
    const { url = '' } = request
    if (url !== REQUESTS) paths.push(url)
    else if (request.method === 'DELETE') paths.length = 0
    reply.setHeader('content-type', 'application/json')
    reply.end(JSON.stringify(url === REQUESTS ? paths : { from: 'the node', url }))
  })
  server.listen(80, ADDRESS)
  await once(server, 'listening')
  // A port that no rule redirects: it shows whether the address itself can be reached.
  const other = createServer((_, reply) => reply.end('from the node'))
  other.listen(OTHER_PORT, ADDRESS)
  await once(other, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      for (const each of [server, other]) {
        each.closeAllConnections()
        each.close()
      }
      await run('ip', ['address', 'delete', `${ADDRESS}/32`, 'dev', 'lo'])
    },
  }
}

/** Clears the recorded requests. */
export async function forgetRequestsToRealImds(): Promise<void> {
  await fetch(`http://${ADDRESS}${REQUESTS}`, { method: 'DELETE' })
}

/** Returns the paths and queries of the recorded requests. */
export async function requestsToRealImds(): Promise<readonly string[]> {
  const reply = await fetch(`http://${ADDRESS}${REQUESTS}`)
  const paths: readonly string[] = JSON.parse(await reply.text())
  return paths
}
