/** Declares `wimds token`. */
import type { CommandDeclaration } from './declaration.ts'

export const TOKEN = {
  name: 'token',
  group: 'Use in shells and scripts',
  summary: 'print an access token',
  arguments: { usage: 'RESOURCE' },
  description:
    'Exchanges the projected token for an access token with the settings of wimds serve, and prints it. It asks Entra ID directly, with or without a running sidecar, and caches nothing.',
  flags: {
    'client-id': {
      value: 'ID',
      help: 'the identity with this client id instead of the default one',
    },
    'object-id': { value: 'ID', help: 'the identity with this object id' },
    'resource-id': { value: 'ID', help: 'the identity with this Azure resource id' },
    wait: {
      value: 'DURATION',
      help: 'how long to retry failures that may be temporary, such as 5m: an outage, or a new federated credential (default: one attempt)',
    },
    output: {
      short: 'o',
      value: 'FORMAT',
      choices: ['text', 'json', 'imds'],
      help: 'text (the default): the token alone; json: a document with a schemaVersion; imds: the response of the IMDS endpoint',
    },
    'curl-config': { help: 'print a line for curl, which keeps the token out of process lists' },
  },
  examples: ['curl --config <(wimds token https://vault.azure.net --curl-config) URL'],
  exitCodes: { 1: 'the exchange failed' },
} as const satisfies CommandDeclaration
