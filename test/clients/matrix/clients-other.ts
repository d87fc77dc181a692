/** The clients in Rust and C++, and programs and scripts. */
import { type Client, IMDS_MODES, STORAGE } from './client.ts'
import { driverPath } from './workspaces.ts'

const shell = (name: string): Pick<Client, 'language' | 'workspace' | 'version' | 'command'> => ({
  language: 'Programs and scripts',
  workspace: 'shell',
  version: '',
  command: () => [driverPath(`shell/${name}.sh`)],
})

const program = (name: string): Pick<Client, 'language' | 'workspace' | 'command'> => ({
  language: 'Programs and scripts',
  workspace: 'python-programs',
  command: (workspace) => [`${workspace}/bin/python`, driverPath(`python/${name}_driver.py`)],
})

export const OTHER_CLIENTS: readonly Client[] = [
  {
    language: 'Rust',
    name: 'azure_identity ManagedIdentityCredential',
    version: '1.0.0',
    workspace: 'rust',
    command: (workspace) => [`${workspace}/debug/azure_identity`],
    asksAgain: true,
    modes: [...IMDS_MODES, 'app-service-2019'],
  },
  {
    language: 'Rust',
    name: 'object_store MicrosoftAzureBuilder',
    version: '0.14.2',
    workspace: 'rust',
    command: (workspace) => [`${workspace}/debug/object_store`],
    resource: STORAGE,
    modes: [...IMDS_MODES, 'app-service-2019'],
  },
  {
    ...program('pyarrow'),
    language: 'C++',
    name: 'azure-sdk-for-cpp in pyarrow AzureFileSystem',
    version: '26.0.1',
    resource: STORAGE,
    modes: ['system', 'client-id', 'app-service-2019', 'app-service-2017', 'cloud-shell'],
  },
  {
    ...program('mssql_python'),
    command: (workspace) => [
      'env',
      `LD_LIBRARY_PATH=${workspace}/usr/lib/x86_64-linux-gnu`,
      ...program('mssql_python').command(workspace),
    ],
    name: 'mssql-python Authentication=ActiveDirectoryMSI',
    version: '1.16.0',
    resource: 'https://database.windows.net',
    modes: ['system', 'client-id', 'host-override', 'app-service-2019'],
  },
  {
    ...program('google_auth'),
    name: 'google-auth workload identity federation',
    version: '2.63.0',
    modes: ['system', 'client-id'],
  },
  {
    ...program('opendal'),
    name: 'Apache OpenDAL azblob',
    version: '0.47.12',
    resource: `${STORAGE}/`,
    modes: ['system'],
  },
  {
    language: 'Programs and scripts',
    name: 'MongoDB driver ENVIRONMENT:azure',
    version: '7.9.0',
    workspace: 'js-pinned',
    command: (workspace) => [process.execPath, `${workspace}/mongodb.mjs`],
    modes: ['system', 'client-id'],
  },
  {
    language: 'Programs and scripts',
    name: 'MongoDB driver kmsProviders azure (CSFLE)',
    version: '7.9.0',
    workspace: 'js-pinned',
    command: (workspace) => [process.execPath, `${workspace}/mongodb-csfle.mjs`],
    resource: 'https://vault.azure.net',
    modes: ['system'],
  },
  {
    ...program('schema_registry'),
    name: 'confluent-kafka Schema Registry OAUTHBEARER_AZURE_IMDS',
    version: '2.16.1',
    modes: ['system', 'client-id'],
  },
  {
    ...program('gdal'),
    name: 'GDAL /vsiaz in rasterio',
    version: '1.4.4',
    resource: `${STORAGE}/`,
    modes: IMDS_MODES,
  },
  {
    language: 'Programs and scripts',
    name: 'rclone --azureblob-use-msi with Azurite',
    version: '1.60.1',
    workspace: 'rclone',
    command: (workspace) => [driverPath('shell/rclone.sh'), `${workspace}/usr/bin/rclone`],
    resource: STORAGE,
    modes: IMDS_MODES,
    usesAzurite: true,
  },
  {
    language: 'Programs and scripts',
    name: 'Open Policy Agent azure_managed_identity',
    version: '1.22.4',
    workspace: 'opa',
    command: (workspace) => [driverPath('shell/opa.sh'), `${workspace}/opa`],
    modes: [...IMDS_MODES, 'app-service-2019'],
  },
  { ...shell('curl-grep'), name: 'curl and grep', modes: IMDS_MODES },
  { ...shell('fluent-bit'), name: "fluent-bit's request", modes: ['system', 'client-id'] },
  { ...shell('vm-extension'), name: 'curl to port 50342', modes: ['vm-extension'] },
]
