import { expect, test } from 'vitest'
import { recognizeClient } from '../../../src/broker/telemetry/clients.ts'

/** User-Agents, followed by MSAL's headers, that test/tools/report/client-libraries.recorded.test.ts does not have. */
const AGENTS: readonly (readonly [agent: string, client: string])[] = [
  ['azsdk-python-identity/1.13.0b2 Python/3.9.2 (Linux)', 'python-azure-identity 1.13.0b2'],
  ['azsdk-python-identity/1.27.0 MSAL.Python/1.39.0', 'python-azure-identity 1.27.0'],
  ['azsdk-js-identity/1.5.2 Node/24.21.0', 'js-azure-identity 1.5.2'],
  ['azsdk-cpp-identity/1.10.1 (Linux)', 'cpp-azure-identity 1.10.1'],
  ['azsdk-rust-identity/1.0.0 (1.88.0; linux; x86_64)', 'rust-azure-identity 1.0.0'],
  ['object_store/0.14.2', 'rust-object-store 0.14.2'],
  ['rclone/v1.60.1-DEV', 'rclone 1.60.1-DEV'],
  ['python-requests/2.28.1', 'python-requests 2.28.1'],
  ['curl/7.88.1', 'curl 7.88.1'],
  [' MSAL.CoreCLR/4.92.0.0', 'dotnet-msal 4.92.0.0'],
  ['Wget/1.21.3', 'wget 1.21.3'],
  ['Mozilla/5.0', 'other '],
  // A text that is not a version is ignored.
  ['curl/<script>', 'curl '],
  [`curl/${'1'.repeat(40)}`, 'curl '],
  ['curl/../1', 'curl '],
]

test.each(AGENTS)('%j is %s', (agent, client) => {
  const { library, version } = recognizeClient(agent)
  expect(`${library} ${version}`).toBe(client)
})
