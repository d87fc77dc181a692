/** Declares `wimds env`. */
import { VARIABLE_SET_NAMES } from '../../sdk-variables.ts'
import type { CommandDeclaration } from './declaration.ts'

export const ENV_FORMATS = ['shell', 'dotenv', 'yaml', 'json'] as const

export const ENV = {
  name: 'env',
  group: 'Use in shells and scripts',
  summary: 'print the variables that configure SDKs for the sidecar',
  description: `Prints the variables that make SDKs use the sidecar, from the sidecar's settings (WIMDS_LISTEN …).

docs/sdk-variables.md lists the set for each SDK. SDKs that support workload identity prefer AZURE_FEDERATED_TOKEN_FILE where it is set.`,
  flags: {
    for: {
      value: 'SET',
      choices: VARIABLE_SET_NAMES,
      isList: true,
      isRepeatable: true,
      help: `${VARIABLE_SET_NAMES.join(', ')}; several sets are separated by commas (default: imds, and app-service if WIMDS_IDENTITY_HEADER is set)`,
    },
    output: {
      short: 'o',
      value: 'FORMAT',
      choices: ENV_FORMATS,
      help: "shell (the default): export and unset commands; dotenv; yaml: for a container's env; json: a document with a schemaVersion",
    },
  },
  examples: ['eval "$(wimds env --for imds)"'],
} as const satisfies CommandDeclaration
