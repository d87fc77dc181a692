/**
 * The far end of the world: `far.ts FOLDER CLIENT_ID...`. A simulated Entra ID on port 443 of every address, and a proxy on port
 * 3128 that takes five seconds to open a tunnel. Prints the settings of a sidecar as one line of JSON.
 */
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'

const SLOW_MS = 5000

const [stateDir = '', ...clientIds] = process.argv.slice(2)
const simulator = await createSimulator({
  stateDir,
  names: ['login.world.test', '*.world.test'],
  listen: { host: '::', port: 443 },
  directory: {
    applications: clientIds.map((clientId) => ({
      clientId,
      federatedCredentials: [{ subject: 'system:serviceaccount:shop:orders' }],
    })),
  },
})

const proxy = createServer()
proxy.on('connect', (_, client: Duplex) => {
  client.on('error', () => {})
  const open = () => {
    const upstream = connect(443, '::1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.pipe(client).pipe(upstream)
    })
    upstream.on('error', () => client.destroy())
  }
  setTimeout(open, SLOW_MS)
})
proxy.listen(3128, '::', () => process.stdout.write(`${JSON.stringify(simulator.settings)}\n`))
