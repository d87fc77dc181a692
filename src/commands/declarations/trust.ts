/** Declares `wimds trust`. */
import type { CommandDeclaration } from './declaration.ts'

export const TRUST_OUTPUTS = ['text', 'az', 'terraform', 'bicep', 'aso', 'json'] as const
const MIGRATION_SOURCES = ['azure-workload-identity', 'aad-pod-identity'] as const

export const TRUST = {
  name: 'trust',
  group: 'Prepare manifests',
  summary: 'list the federated credentials that the ServiceAccounts of a cluster need',
  arguments: { usage: 'FILE...', completion: 'file' },
  description:
    'Reads ServiceAccounts, workloads and identities files, from manifests or kubectl get -o json, and prints the federated credentials that must exist in Azure: for people, or as az commands, Terraform, Bicep or objects of the Azure Service Operator. It compares them with those that exist, counts them against the limit of 20 per identity, and writes nothing to Azure. FILE is a file, a directory, a pattern, or - for standard input.',
  flags: {
    issuer: {
      value: 'URL|FILE',
      completion: 'file',
      help: "issuer of the cluster's tokens, or a file with it: a projected token, or the output of kubectl get --raw /.well-known/openid-configuration; required",
    },
    output: {
      short: 'o',
      value: 'FORMAT',
      choices: TRUST_OUTPUTS,
      help: 'text (the default), az, terraform, bicep, aso, or json: a document with a schemaVersion',
    },
    from: {
      value: 'PROJECT',
      choices: MIGRATION_SOURCES,
      help: 'migrate from azure-workload-identity or aad-pod-identity: print what to change in the manifests, and the credentials after that',
    },
    namespace: { value: 'NAME', help: 'namespace of objects that name none' },
    path: {
      value: 'KIND=PATH',
      isRepeatable: true,
      help: 'path of the pod template in another kind, as for wimds inject',
    },
    'client-id': {
      value: 'ID',
      help: 'identity of injected workloads whose ServiceAccount names none',
    },
    allow: {
      value: 'ID=NAMESPACES',
      isRepeatable: true,
      help: 'namespaces, separated by commas, that may use the identity with this client id; without it, an identity that several namespaces claim is an error',
    },
    'tenant-id': { value: 'ID', help: 'tenant of identities that name none' },
    'authority-host': {
      value: 'URL',
      help: 'login host of the cloud, which decides the audience (default https://login.microsoftonline.com)',
    },
    audience: {
      value: 'TEXT',
      help: 'audience of the projected tokens (default: that of the cloud)',
    },
    'force-namespaced': {
      help: 'with --from aad-pod-identity: aad-pod-identity ran with --forceNamespaced (default: as its manifests in the input say)',
    },
    identities: {
      group: 'What exists in Azure',
      value: 'FILE',
      isRepeatable: true,
      completion: 'file',
      help: 'output of az identity list or az ad app list with -o json: names and resource groups by client id',
    },
    application: {
      group: 'What exists in Azure',
      value: 'CLIENT_ID',
      isRepeatable: true,
      help: 'client id of an application registration; others are assumed to be managed identities',
    },
    existing: {
      group: 'What exists in Azure',
      value: 'PATH',
      isRepeatable: true,
      completion: 'file',
      help: 'output of az identity federated-credential list or az ad app federated-credential list with -o json, or a directory of such files; a file CLIENT_ID.json is of that identity',
    },
    'resource-group': {
      group: 'What exists in Azure',
      value: 'NAME',
      help: 'only the identities of this resource group',
    },
  },
  examples: [
    'kubectl get namespaces,serviceaccounts,deployments,statefulsets,daemonsets,cronjobs,configmaps -A -o json | wimds trust --issuer "$ISSUER" -',
    'wimds trust --issuer "$ISSUER" --identities identities.json -o az manifests/ > credentials.sh',
  ],
  exitCodes: {
    1: 'an input cannot be read or has no ServiceAccount and no workload, or something is left out of the output, as standard error says',
  },
} as const satisfies CommandDeclaration
