/** Finds the identifiers of a run, which its report must not contain. */
import { print, type Reader } from './reader.ts'
import type { Run } from './run-parts.ts'

const account = (query: string) => `az account show --query ${query} --output tsv`

/** Finds what the report must not contain, as far as it was created. */
export async function hideIdentifiers({ hide }: Run, reader: Reader): Promise<void> {
  const issuer =
    'az aks show --resource-group "$GROUP" --name "$CLUSTER" --query oidcIssuerProfile.issuerUrl --output tsv'
  for (const [command, word] of [
    ['printf %s "$CLIENT_ID"', 'client'],
    ['printf %s "$ACR"', 'registry'],
    ['printf %s "$STORE"', 'storage account'],
    ['printf %s "$APP_NAME"', 'application'],
    [issuer, 'issuer'],
    [account('tenantId'), 'tenant'],
    [account('id'), 'subscription'],
    [account('name'), 'subscription'],
    [account('user.name'), 'user'],
  ] as const) {
    hide(await print(reader, command), word)
  }
}
