/** Compares what Entra ID and the simulator answer to the same requests. */
import { createSimulator } from '../../../src/tools/simulator/simulator.ts'
import { recordExchanges } from './exchanges.ts'
import { findDifferences } from './redact.ts'
import { ARM, createAssertion, readVariable, type Run } from './run-parts.ts'

/** Makes the requests of Entra ID and of a simulator with the same directory. Returns the replies and the differences. */
export async function compareExchanges(run: Run): Promise<unknown> {
  const tenantId = await readVariable(run, 'TENANT_ID')
  const clientId = await readVariable(run, 'CLIENT_ID')
  const federation = { tenantId, clientId, resource: ARM }
  const replies = await recordExchanges({
    ...federation,
    authority: run.authority,
    createAssertion: (audience, isTrusted) => createAssertion(run, audience, isTrusted),
  })
  const subject = 'system:serviceaccount:shop:orders'
  await using simulator = await createSimulator({
    directory: {
      tenants: [{ id: tenantId }],
      applications: [{ clientId, federatedCredentials: [{ subject }] }],
    },
  })
  run.hide(run.authority, 'authority')
  run.hide(simulator.authorityHost, 'authority')
  run.hide(simulator.issuer.issuer, 'issuer')
  const simulated = await recordExchanges({
    ...federation,
    authority: simulator.authorityHost,
    dispatcher: simulator.dispatcher,
    async createAssertion(audience, isTrusted) {
      const serviceAccount = isTrusted ? 'orders' : 'default'
      const token = await simulator.issuer.sign({ namespace: 'shop', serviceAccount, audience })
      return token.reveal()
    },
  })
  const differences = findDifferences(run.redact(replies), run.redact(simulated))
  return { differences, replies }
}
