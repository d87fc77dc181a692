/**
 * The far end of the world: `far.ts FOLDER CLIENT_ID...`. A simulated Entra ID on port 443 of every address. Prints the settings of a
 * sidecar as one line of JSON.
 */
import { createSimulator } from '../../src/tools/simulator/simulator.ts'

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

process.stdout.write(`${JSON.stringify(simulator.settings)}\n`)
