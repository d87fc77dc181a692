/** Checks the report for requests that clients sent in the client matrix: the library that it names, and the advice. */
import { expect, test } from 'vitest'
import { createClientInventory } from '../../../src/broker/telemetry/clients.ts'
import { createRows } from '../../../src/tools/report/rows.ts'

const READY = 'ready: use DefaultAzureCredential'
const SQL = 'ready: .*Authentication=Active Directory Workload Identity'
const ASSERTION = 'pass the projected token as a client assertion'

/** The User-Agent, MSAL's headers behind it, the client and its version, and the remedy. */
const RECORDED: readonly (readonly [string, string, string, string])[] = [
  ['azsdk-net-Identity/1.9.0 (.NET 10.0.12; Debian)', '', 'Azure.Identity (.NET) 1.9.0', READY],
  [
    'azsdk-net-Identity/1.17.2 (.NET 10.0.12)',
    'MSAL.NetCore 4.84.2.0',
    'Azure.Identity (.NET) 1.17.2',
    SQL,
  ],
  ['azsdk-net-Core/1.53.0 (.NET 10.0.12)', '', 'Azure.Core (.NET) 1.53.0', READY],
  ['azsdk-net-Core/1.64.0 (x)', 'MSAL.NetCore 4.92.0.0', 'Azure.Core (.NET) 1.64.0', SQL],
  ['', 'MSAL.NetCore 4.92.0.0', 'MSAL.NET 4.92.0.0', ASSERTION],
  ['', '', 'without a User-Agent ', 'MSAL.NET to 4.83, AppAuthentication, '],
  [
    'azsdk-js-identity/1.5.2 core-rest-pipeline/1.25.1 Node/24.21.0 (Linux 6.18; x64)',
    '',
    '@azure/identity (JavaScript) 1.5.2',
    'upgrade to 3.2.0: use DefaultAzureCredential',
  ],
  ['node', 'msal.js.node 7.2.3', 'MSAL for Node.js 7.2.3', ASSERTION],
  ['node-fetch/1.0 (+https://github.com)', '', 'Node.js HTTP client 1.0', 'an older SDK'],
  [
    'azsdk-python-identity/1.5.0 Python/3.11.7 (Linux-6.18-x86_64-with-glibc2.36)',
    '',
    'azure-identity (Python) 1.5.0',
    'upgrade to 1.13.0: use DefaultAzureCredential',
  ],
  ['python-requests/2.34.2', 'MSAL.Python 1.39.0', 'MSAL for Python 1.39.0', ASSERTION],
  [
    'python/3.11.7 (Linux-6.18) msrest/0.7.1 msrest_azure/0.6.4.post1',
    '',
    'msrestazure (Python) 0.6.4.post1',
    'it is retired',
  ],
  [
    'Prometheus/ azsdk-go-azidentity/v1.7.0 (go1.26.8; linux)',
    'MSAL.Go 1.10.1',
    'azidentity (Go) 1.7.0',
    READY,
  ],
  ['Go-http-client/1.1', 'MSAL.Go 1.10.1', 'MSAL for Go 1.10.1', ASSERTION],
  ['Go/go1.26.8 (amd64-linux) go-autorest/adal/v1.0.0', '', 'go-autorest/adal (Go) ', 'is retired'],
  ['Go-http-client/1.1', '', 'Go HTTP client 1.1', 'azurerm .* set use_aks_workload_identity'],
  [
    'azsdk-java-azure-identity/1.15.4 (17.0.15; Linux; 6.18)',
    '',
    'azure-identity (Java) 1.15.4',
    READY,
  ],
  ['Java/17.0.15', 'MSAL.Java 1.26.1', 'MSAL for Java 1.26.1', ASSERTION],
  ['Java/17.0.15', '', 'Java HTTP client 17.0.15', 'ABFS .* WorkloadIdentityTokenProvider'],
  ['Mozilla/5.0', '', 'another client ', 'find out which process calls'],
]

test.each(RECORDED)(
  'the report on %j %j names %j and advises %j',
  (agent, msal, client, remedy) => {
    const [sku, version] = msal === '' ? [] : msal.split(' ')
    const seen = createClientInventory().findClient({
      ...(agent !== '' && { 'user-agent': agent }),
      ...(sku !== undefined && { 'x-client-sku': sku, 'x-client-ver': version }),
    })
    const sighting = {
      workload: 'shop/orders',
      requests: 1,
      lastSeenAt: '2026-11-24T11:59:30.000Z',
    }
    const [row] = createRows([{ ...sighting, client: seen.library, version: seen.version }])
    expect(`${row?.title} ${row?.version}`).toBe(client)
    const { workloadIdentitySince: since } = row ?? {}
    const upgrade = since === undefined ? '' : `upgrade to ${since}: `
    const step = row?.supportsWorkloadIdentity === true ? 'ready: ' : upgrade
    expect(`${step}${row?.advice}`).toMatch(new RegExp(remedy))
  },
)
