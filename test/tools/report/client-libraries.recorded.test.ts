/** `wimds report` over requests as clients of each generation sent them in the client matrix: whom it names, and what to do. */
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { createClientInventory } from '../../../src/broker/telemetry/clients.ts'
import { report } from '../../../src/tools/report/report.ts'
import { listening } from '../../fixtures/listening.ts'
import { aStatus } from '../../fixtures/status.ts'
import { runCommand } from '../capture.ts'

const READY = 'this version supports workload identity: use DefaultAzureCredential'
const SQL = 'Authentication=Active Directory Workload Identity'
const DOTNET = '(.NET 10.0.12; Debian GNU/Linux 12 (bookworm))'

/** The User-Agent, MSAL's headers behind it, the client and its version, and the remedy. */
const RECORDED: readonly (readonly [
  agent: string,
  msal: string,
  client: string,
  remedy: string,
])[] = [
  // .NET
  [`azsdk-net-Identity/1.9.0 ${DOTNET}`, '', 'Azure.Identity (.NET) 1.9.0', READY],
  [`azsdk-net-Identity/1.12.1 ${DOTNET}`, '', 'Azure.Identity (.NET) 1.12.1', SQL],
  [
    `azsdk-net-Identity/1.17.2 ${DOTNET}`,
    'MSAL.NetCore 4.84.2.0',
    'Azure.Identity (.NET) 1.17.2',
    READY,
  ],
  [`azsdk-net-Core/1.53.0 ${DOTNET}`, '', 'Azure.Core (.NET) 1.53.0', READY],
  [`azsdk-net-Core/1.62.0 ${DOTNET}`, 'MSAL.NetCore 4.84.2.0', 'Azure.Core (.NET) 1.62.0', READY],
  [`azsdk-net-Core/1.64.0 ${DOTNET}`, 'MSAL.NetCore 4.92.0.0', 'Azure.Core (.NET) 1.64.0', SQL],
  [
    '',
    'MSAL.NetCore 4.92.0.0',
    'MSAL.NET 4.92.0.0',
    '→ pass the projected token as a client assertion',
  ],
  [
    '',
    '',
    'without a User-Agent -',
    '→ find out which process calls: MSAL.NET to 4.83, AppAuthentication, Microsoft.Data.SqlClient 2',
  ],
  // JavaScript
  [
    'azsdk-js-identity/1.5.2 core-rest-pipeline/1.25.1 Node/24.21.0 (Linux 6.18; x64)',
    '',
    '@azure/identity (JavaScript) 1.5.2',
    '→ upgrade to 3.2.0: use DefaultAzureCredential',
  ],
  [
    'azsdk-js-identity/2.1.0 core-rest-pipeline/1.25.1 Node/24.21.0 (Linux 6.18; x64)',
    '',
    '@azure/identity (JavaScript) 2.1.0',
    '→ upgrade to 3.2.0: use DefaultAzureCredential',
  ],
  [
    'azsdk-js-identity/4.14.1 core-rest-pipeline/1.25.1 Node/24.21.0 (Linux 6.18; x64)',
    'msal.js.node 7.2.3',
    '@azure/identity (JavaScript) 4.14.1',
    READY,
  ],
  [
    'node',
    'msal.js.node 7.2.3',
    'MSAL for Node.js 7.2.3',
    '→ pass the projected token as a client assertion',
  ],
  [
    'node-fetch/1.0 (+https://github.com/bitinn/node-fetch)',
    '',
    'Node.js HTTP client 1.0',
    '→ find out which library calls (a script or an older SDK)',
  ],
  // Python
  [
    'azsdk-python-identity/1.5.0 Python/3.11.7 (Linux-6.18-x86_64-with-glibc2.36)',
    '',
    'azure-identity (Python) 1.5.0',
    '→ upgrade to 1.13.0: use DefaultAzureCredential',
  ],
  [
    'azsdk-python-identity/1.27.0 Python/3.11.7 (Linux-6.18-x86_64-with-glibc2.36)',
    'MSAL.Python 1.39.0',
    'azure-identity (Python) 1.27.0',
    READY,
  ],
  [
    'python-requests/2.34.2',
    'MSAL.Python 1.39.0',
    'MSAL for Python 1.39.0',
    '→ pass the projected token as a client assertion',
  ],
  [
    'python/3.11.7 (Linux-6.18-x86_64-with-glibc2.36) msrest/0.7.1 msrest_azure/0.6.4.post1',
    '',
    'msrestazure (Python) 0.6.4.post1',
    '→ it is retired',
  ],
  // Go
  [
    'azsdk-go-azidentity/v1.1.0 (go1.26.8; linux)',
    '',
    'azidentity (Go) 1.1.0',
    '→ upgrade to 1.3.0: use DefaultAzureCredential',
  ],
  ['Prometheus/ azsdk-go-azidentity/v1.7.0 (go1.26.8; linux)', '', 'azidentity (Go) 1.7.0', READY],
  [
    'azsdk-go-azidentity/v1.15.0 (go1.26.8; linux)',
    'MSAL.Go 1.10.1',
    'azidentity (Go) 1.15.0',
    READY,
  ],
  [
    'Go-http-client/1.1',
    'MSAL.Go 1.10.1',
    'MSAL for Go 1.10.1',
    '→ pass the projected token as a client assertion',
  ],
  [
    'Go/go1.26.8 (amd64-linux) go-autorest/adal/v1.0.0',
    '',
    'go-autorest/adal (Go) -',
    '→ it is retired',
  ],
  [
    'Go-http-client/1.1',
    '',
    'Go HTTP client 1.1',
    'for azurerm (Terraform) 3.85.0 or later set use_aks_workload_identity',
  ],
  // Java
  [
    'azsdk-java-azure-identity/1.15.4 (17.0.15; Linux; 6.18)',
    '',
    'azure-identity (Java) 1.15.4',
    READY,
  ],
  [
    'azsdk-java-azure-identity/1.18.2 (17.0.15; Linux; 6.18)',
    'MSAL.Java 1.26.1',
    'azure-identity (Java) 1.18.2',
    READY,
  ],
  [
    'Java/17.0.15',
    'MSAL.Java 1.26.1',
    'MSAL for Java 1.26.1',
    '→ pass the projected token as a client assertion',
  ],
  [
    'Java/17.0.15',
    '',
    'Java HTTP client 17.0.15',
    'for ABFS of Hadoop (Java) 3.4.1 or later use WorkloadIdentityTokenProvider',
  ],
]

test.each(RECORDED)('of %j %j it says %j and %j', async (agent, msal, client, remedy) => {
  const [sku, version] = msal === '' ? [] : msal.split(' ')
  const seen = createClientInventory().findClient({
    ...(agent !== '' && { 'user-agent': agent }),
    ...(sku !== undefined && { 'x-client-sku': sku, 'x-client-ver': version }),
  })
  const [sample] = aStatus().clients
  const clients = [{ ...sample, client: seen.library, version: seen.version }]
  const server = createServer((_, response) => {
    response.end(JSON.stringify({ ...aStatus(), clients }))
  })
  await using sidecar = await listening(server)
  const { out } = await runCommand(report, ['--url', `http://127.0.0.1:${sidecar.port}`])
  const text = out.replaceAll(/ +/g, ' ')
  expect(text).toContain(` ${client} 42 `)
  expect(text).toContain(remedy)
})
