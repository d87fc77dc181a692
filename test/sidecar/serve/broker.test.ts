import { expect, test } from 'vitest'
import { createBroker } from '../../../src/sidecar/serve/broker.ts'
import { loadConfig } from '../../../src/sidecar/config/config.ts'
import { createLogger } from '../../../src/sidecar/telemetry/logger.ts'

const ENVIRONMENT = {
  AZURE_CLIENT_ID: '11111111-1111-4111-8111-111111111111',
  AZURE_TENANT_ID: '22222222-2222-4222-8222-222222222222',
  AZURE_FEDERATED_TOKEN_FILE: '/nowhere/token',
  NODE_TLS_REJECT_UNAUTHORIZED: '0',
}

test('warns of a failed reload until one succeeds, beside the warnings of the settings', async () => {
  const config = await loadConfig(ENVIRONMENT)
  const log = createLogger({ level: 'silent', format: 'json', out: { write: () => {} } })
  const broker = createBroker(config, log)
  const warnings = () => broker.telemetry.document([]).warnings
  const [ofSettings, ...others] = warnings()
  expect(ofSettings).toContain('NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect')
  expect(others).toEqual([])
  for (const problem of ['the first', 'the second']) {
    broker.onReload(problem)
    expect(warnings()).toEqual([ofSettings, problem])
  }
  broker.onReload(undefined)
  expect(warnings()).toEqual([ofSettings])
  broker.close()
})
