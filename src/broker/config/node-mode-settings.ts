/** The settings that each pod of mode node has for itself. All pods share the others, which are settings of the broker. */
import type { SettingName } from './settings.ts'

export const PER_POD_SETTINGS: ReadonlySet<string> = new Set<SettingName>([
  'AZURE_CLIENT_ID',
  'AZURE_TENANT_ID',
  'AZURE_FEDERATED_TOKEN_FILE',
  'AZURE_AUTHORITY_HOST',
  'WIMDS_CONFIG',
  'WIMDS_LISTEN',
  'WIMDS_ALLOWED_HOSTS',
  'WIMDS_MAX_CONNECTIONS',
  'WIMDS_IDENTITY_HEADER',
  'WIMDS_AUDIENCE',
  'WIMDS_PREFETCH',
  'WIMDS_UNLISTED_CLIENT_IDS',
  'WIMDS_INSTANCE',
])
