/** The identity of the ServiceAccount, and that of a container. */
import { SERVICE_ACCOUNT } from '../patched.ts'
import { AZWI, type Cases, CONFIG_MAP, each, env, OTHER_CLIENT, TOKEN_FILE } from './shared.ts'

const { [`${AZWI}client-id`]: _, ...ONLY_TENANT } = SERVICE_ACCOUNT
const { [`${AZWI}tenant-id`]: __, ...ONLY_CLIENT } = SERVICE_ACCOUNT
export const IDENTITIES: Cases = {
  ...each(
    'no tenant',
    [{}, { serviceAccountName: 'orders' }, { serviceAccount: 'orders' }],
    (spec) => ({
      spec,
      account: ONLY_CLIENT,
    }),
  ),
  'no client id': { account: ONLY_TENANT },
  'malformed ids': { account: { [`${AZWI}client-id`]: 'common', [`${AZWI}tenant-id`]: 'common' } },
  ...each(
    'variables of a container',
    [
      { AZURE_CLIENT_ID: 'orders' },
      // The kubelet replaces $(ID), and reads the ConfigMap.
      { AZURE_CLIENT_ID: '$(ID)' },
      { AZURE_CLIENT_ID: CONFIG_MAP },
      { AZURE_CLIENT_ID: '' },
    ] as const,
    (values) => ({ spec: env({ [TOKEN_FILE]: '/t', ...values }), account: ONLY_TENANT }),
  ),
  'those of the ServiceAccount before those of a container': {
    spec: env({ [TOKEN_FILE]: '/t', AZURE_CLIENT_ID: OTHER_CLIENT, AZURE_TENANT_ID: OTHER_CLIENT }),
  },
  'an empty tenant of a container': {
    spec: env({ [TOKEN_FILE]: '/t', AZURE_TENANT_ID: '' }),
    account: ONLY_CLIENT,
  },
}
