/** Which settings of a sidecar a pod of mode node has for itself, and does not share with its node. */
import type { SettingName } from './settings.ts'

/** The settings that each pod has for itself. The broker, which pods of mode node share, has the others. */
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
