import { expect, test } from 'vitest'
import { recognizeClient } from '../../../src/broker/telemetry/clients.ts'

/** User-Agents of the clients in the compatibility matrix, and of others. */
const AGENTS: readonly (readonly [agent: string, client: string])[] = [
  ['azsdk-python-identity/1.27.0 Python/3.11.7 (Linux-6.1-x86_64)', 'python-azure-identity 1.27.0'],
  ['azsdk-python-identity/1.13.0b2 Python/3.9.2 (Linux)', 'python-azure-identity 1.13.0b2'],
  ['azsdk-js-identity/1.5.2 core-rest-pipeline/1.25.1 Node/24.21.0', 'js-azure-identity 1.5.2'],
  ['azsdk-go-azidentity/v1.1.0 (go1.18.10; linux)', 'go-azidentity 1.1.0'],
  ['my-app azsdk-go-azidentity/v1.15.0 (go1.24; linux)', 'go-azidentity 1.15.0'],
  ['azsdk-net-Identity/1.9.0 (.NET 6.0.36; Debian)', 'dotnet-azure-identity 1.9.0'],
  ['azsdk-cpp-identity/1.10.1 (Linux)', 'cpp-azure-identity 1.10.1'],
  ['azsdk-rust-identity/1.0.0 (1.88.0; linux; x86_64)', 'rust-azure-identity 1.0.0'],
  ['Go/go1.22 (amd64-linux) go-autorest/adal/v1.0.0', 'go-autorest '],
  ['object_store/0.14.2', 'rust-object-store 0.14.2'],
  ['rclone/v1.60.1-DEV', 'rclone 1.60.1-DEV'],
  ['python-requests/2.28.1', 'python-requests 2.28.1'],
  ['Java/17.0.14', 'java-http 17.0.14'],
  ['Go-http-client/1.1', 'go-http 1.1'],
  ['node', 'node-http '],
  ['curl/7.88.1', 'curl 7.88.1'],
  ['azsdk-net-Core/1.62.0 (.NET 10.0.0; Debian)', 'dotnet-azure-core 1.62.0'],
  // .NET by generation: the headers of MSAL are behind the User-Agent of its caller.
  ['azsdk-net-Identity/1.14.2 (.NET 8.0.0) MSAL.CoreCLR/4.73.1.0', 'dotnet-azure-identity 1.14.2'],
  ['azsdk-net-Core/1.62.0 (.NET 10.0.0) MSAL.CoreCLR/4.92.0.0', 'dotnet-azure-core 1.62.0'],
  [' MSAL.CoreCLR/4.92.0.0', 'dotnet-msal 4.92.0.0'],
  ['Wget/1.21.3', 'wget 1.21.3'],
  ['Mozilla/5.0', 'other '],
  ['', 'none '],
]

test.each(AGENTS)('%j is %s', (agent, client) => {
  const { library, version } = recognizeClient(agent)
  expect(`${library} ${version}`).toBe(client)
})

test.each(['<script>', 'eyJhbGciOi.eyJhbGciOi', '1'.repeat(40), 'v', '../1'])(
  'ignores a version that does not look like one: %j',
  (version) => {
    expect(recognizeClient(`azsdk-python-identity/${version}`).version).toBe('')
  },
)
