/** Finds the identifiers of a run, which its report must not contain. */
import { print, type Reader } from './reader.ts'
import { findIssuer, type Run } from './run-parts.ts'

const account = (query: string) => `az account show --query ${query} --output tsv`

/** Finds the identifiers of the account and of the resources that were created. */
export async function hideIdentifiers({ hide }: Run, reader: Reader): Promise<void> {
  hide(await findIssuer({ reader }).catch(() => ''), 'issuer')
  for (const [command, word] of [
    ['printf %s "$CLIENT_ID"', 'client'],
    ['printf %s "$ACR"', 'registry'],
    ['printf %s "$STORE"', 'storage account'],
    ['printf %s "$APP_NAME"', 'application'],
    [account('tenantId'), 'tenant'],
    [account('id'), 'subscription'],
    [account('name'), 'subscription'],
    [account('user.name'), 'user'],
  ] as const) {
    hide(await print(reader, command), word)
  }
}
