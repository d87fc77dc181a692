/** Formats docs/compatibility.md. */
import { fileURLToPath } from 'node:url'
import { MINIMUM_VERSIONS } from '../../../src/tools/report/client-libraries.ts'
import { modesOf } from './client.ts'
import { ALL_ROWS, CLIENTS } from './clients.ts'

export const COMPATIBILITY_FILE = fileURLToPath(
  new URL('../../../docs/compatibility.md', import.meta.url),
)

/** Formats the page, which is written only if all rows have passed. */
export function formatCompatibility(): string {
  const languages = [...new Set(CLIENTS.map(({ language }) => language))]
  return `# Compatibility

<!-- Written by \`npm run test:clients -- --write-docs\`; do not edit by hand. -->

${formatVersions()}
## The clients that were tested

Each client is the published package at the version shown, with its modes. Each mode ran in its own process, against the built
sidecar and a simulated Entra ID that validates the projected token. It passed if the client's token had the right signature,
audience and identity and, if the client reports one, the right expiry. OpenTelemetry's detectors of virtual machines get no
token; they passed if they reported no machine, since none is configured. Not run: Azure.Identity before 1.9 and
Microsoft.Azure.Services.AppAuthentication.

The modes, with the set of variables of \`wimds env --for\` in parentheses:

- **system**: 169.254.169.254:80 without an identity; **client-id**, **object-id** and **resource-id**: with one. These require
  the routing mode \`loopback\`, \`nft\` or \`node\`.
- **host-override** (\`imds\`): \`AZURE_POD_IDENTITY_AUTHORITY_HOST\`, or [an option](#without-a-redirect) of the client.
- **app-service-2019** (\`app-service\`): \`IDENTITY_ENDPOINT\` and \`IDENTITY_HEADER\`.
- **app-service-2017** (\`app-service-2017\`): \`MSI_ENDPOINT\` and \`MSI_SECRET\`; Azure Machine Learning for MSAL.
- **cloud-shell** (\`cloud-shell\`): only \`MSI_ENDPOINT\`.
- **injected-env**: what injection in mode \`env\` sets (all of these but cloud-shell), read from [an injected manifest](../examples/kubernetes/mode-env/job.yaml),
  in a network without 169.254.169.254. Most drivers of an SDK also asked again after the end of their first token.
- **vm-extension**: the retired VM extension's protocol, a form posted to localhost:50342.

All rows also pass with a new sidecar whose first exchange gets a 503 (\`npm run test:clients -- --cold-start\`). The first four
modes also pass against the broker of mode \`node\` (\`--broker\`). DefaultAzureCredential of Go azidentity 1.1 allows 1 s for the
request, which a busy machine can exceed. SQL clients log in to a simulated server, which gets the token.

The last run: ${CLIENTS.length} clients in ${ALL_ROWS.length} rows, which all passed.

${languages.map(formatSection).join('\n')}
${formatVariables()}`
}

function formatSection(language: string): string {
  const clients = CLIENTS.filter((client) => client.language === language)
  const items = clients.map(
    (client) =>
      `- **${[client.name, client.version].join(' ').trim()}**: ${modesOf(client).join(', ')}\n`,
  )
  return `## ${language}\n\n${items.join('')}`
}

/** Formats the section on mode env: which modes of a client need no redirect, and which clients need an option. */
function formatVariables(): string {
  const options = CLIENTS.flatMap(({ language, name, hostOption }) =>
    hostOption === undefined ? [] : `- ${language} ${name}: \`${hostOption}\``,
  )
  return `## Without a redirect

In routing mode \`env\` every client with injected-env gets its token with nothing configured. vm-extension needs
\`WIMDS_LISTEN=127.0.0.1:50342\` in the sidecar. A client without any of these modes needs a redirect.

These clients have an option instead of the variable of host-override:

${options.join('\n')}
`
}

/** Formats the table of the versions that need no sidecar, from what `wimds report` knows. */
function formatVersions(): string {
  const rows = MINIMUM_VERSIONS.map(
    ({ title, workloadIdentitySince = '–', advice }) =>
      `| ${title} | ${workloadIdentitySince} | ${advice} |\n`,
  )
  return `## Minimum SDK version for workload identity

From this version on, an SDK exchanges the projected token itself, and its pod needs no sidecar. Upgrade it, use its credential for
workload identity, and let [azure-workload-identity](https://azure.github.io/azure-workload-identity/) set its variables. An
earlier version gets its tokens from wimds. –: no version does so without other code or settings, or the first one is not known.
[\`wimds report\`](tasks/report.md) says which client each of your workloads has.

<!-- prettier-ignore -->
| SDK or program | minimum version | what to do |
| - | - | - |
${rows.join('')}`
}
