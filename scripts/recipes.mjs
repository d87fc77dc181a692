// Writes docs/recipes from scripts/recipes.yaml: a page for each program, and their index. With --check it writes nothing, and
// exits with 1 if a page is not current.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { writePage } from './write-page.mjs'

/** Programs that support workload identity themselves: name, first version, its source below github.com, and the settings. */
const INDEPENDENT = [
  [
    'AzCopy',
    '10.25.0',
    'Azure/azure-storage-azcopy/blob/v10.25.0/ChangeLog.md',
    '`AZCOPY_AUTO_LOGIN_TYPE=WORKLOAD`',
  ],
  [
    'cert-manager',
    '1.11.0',
    'cert-manager/cert-manager/releases/tag/v1.11.0',
    '`managedIdentity.clientID` of the solver `azureDNS`',
  ],
  [
    'Blob CSI driver, blobfuse',
    '1.27.0',
    'kubernetes-sigs/blob-csi-driver/blob/master/docs/workload-identity-static-pv-mount.md',
    '`mountWithWorkloadIdentityToken: "true"` and the `clientID` of the managed identity in the persistent volume or its storage class. The driver mounts it, not the AKS pod',
  ],
  ['Dapr', '1.11', 'dapr/docs/pull/3204', 'the Dapr sidecar uses the workload identity of the pod'],
  [
    'external-dns',
    '0.13.6',
    'kubernetes-sigs/external-dns/blob/v0.13.6/docs/tutorials/azure.md',
    '`useWorkloadIdentityExtension` in `azure.json`',
  ],
  [
    'External Secrets Operator',
    '0.5.0',
    'external-secrets/external-secrets/blob/v0.5.0/docs/provider-azure-key-vault.md',
    '`authType: WorkloadIdentity` in the SecretStore; with `serviceAccountRef` no label is needed',
  ],
  [
    'Fluent Bit, output azure_kusto',
    '4.1',
    'fluent/fluent-bit-docs/issues/2086',
    '`auth_type workload_identity`',
  ],
  [
    'Grafana Loki',
    '3.0',
    'grafana/loki/issues/12614',
    '`use_federated_token: true` in `storage_config.azure`',
  ],
  [
    'KEDA',
    '2.8',
    'kedacore/keda/issues/2487',
    '`podIdentity.provider: azure-workload` in the TriggerAuthentication',
  ],
  [
    'Prometheus',
    '3.11',
    'prometheus/prometheus/releases/tag/v3.11.0',
    '`authentication_method: WorkloadIdentity` in `azure_sd_configs`; `workload_identity` in `azuread` of a remote write from 3.7 on',
  ],
  [
    'restic',
    '0.16.0',
    'restic/restic/blob/v0.16.0/CHANGELOG.md',
    'neither an account key nor a SAS',
  ],
  [
    'Thanos',
    '0.33.0',
    'thanos-io/thanos/releases/tag/v0.33.0',
    'no key and no `user_assigned_id` for the Azure bucket. Earlier versions without a key support only MSI, so they need wimds',
  ],
  [
    'Velero',
    '1.13',
    'vmware-tanzu/velero/blob/main/changelogs/CHANGELOG-1.13.md',
    '1.12 with plugin 1.8 for native snapshots only',
  ],
]

const folder = fileURLToPath(new URL('../docs/recipes/', import.meta.url))
const recipes = parse(readFileSync(new URL('recipes.yaml', import.meta.url), 'utf8'))
const pages = new Map([
  ['README.md', formatIndex()],
  ...recipes.map((recipe) => [`${recipe.id}.md`, formatRecipe(recipe)]),
])
for (const [name, page] of pages) {
  await writePage(`docs/recipes/${name}`, page, 'npm run docs:recipes')
}
const stale = readdirSync(folder).filter((name) => !pages.has(name))
if (stale.length > 0) {
  process.stderr.write(`docs/recipes: no recipe has the page ${stale.join(', ')}. Fix: delete it\n`)
  process.exitCode = 1
}

function formatIndex() {
  const items = recipes.map(({ id, title }) => `- [${title}](${id}.md)`)
  const independent = INDEPENDENT.map(
    ([name, version, source, setting]) =>
      `### ${name}\n\n[${version}](https://github.com/${source}): ${setting}.`,
  )
  return `# Recipes by program

${formatOrigin()}

What to set in programs that get tokens from a managed identity, after [the workload](../tasks/existing-workload.md) has one. For
SDKs, see [compatibility](../compatibility.md).

${items.join('\n')}

## Programs that support workload identity

From the version shown on, these programs support Azure AD workload identity. They exchange the projected token themselves, so they need no wimds. Let
[azure-workload-identity](https://azure.github.io/azure-workload-identity/) set its variables: label the pod
\`azure.workload.identity/use: "true"\`. For SDKs, see
[minimum versions](../compatibility.md#minimum-sdk-version-for-workload-identity).

${independent.join('\n\n')}
`
}

function formatRecipe({ title, text, set, settings, works, fails, ...origin }) {
  const rows = settings.map(([name, value]) => `| ${formatName(name)} | ${value} |`)
  return `# ${title}

${formatOrigin()}

${text}

First [let the workload use the identity](../tasks/existing-workload.md), then set:

| setting | value |
|---|---|
| [routing mode](../kubernetes.md#routing-modes) | ${formatModes(set)} |
${rows.join('\n')}

It works when ${works}. If not, ${fails === undefined ? '' : `${fails}; `}[\`wimds doctor\`](../doctor.md) names the cause and the fix.

${formatTest(origin)}
`
}

function formatOrigin() {
  return '<!-- Written by npm run docs:recipes from scripts/recipes.yaml; edit that. -->'
}

/** Formats the routing modes in which the program gets tokens. */
function formatModes(set) {
  if (set === undefined) return '`loopback`, `nft` or `node`'
  return set === 'an option' ? 'any; `env` with the option below' : 'any'
}

/** Formats the names of settings as code. A row may have several. */
function formatName(name) {
  if (name === 'user name') return name
  return name.replaceAll(
    /(?<=^|, | or )[\w.-]+(?: (?:Id|Timeout))?(?=$|, | or |=|:| in | of )/g,
    '`$&`',
  )
}

function formatTest({ client, library, notRun }) {
  if (client !== undefined) return `Tested: [${client}](../compatibility.md).`
  if (library !== undefined) return `Tested by its library: [${library}](../compatibility.md).`
  return `Not tested: ${notRun}.`
}
