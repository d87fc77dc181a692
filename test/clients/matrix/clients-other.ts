/** The clients in Rust, .NET and shell, and rclone. */
import { type Client, IMDS_MODES, STORAGE } from './client.ts'
import { driverPath } from './workspaces.ts'

const shell = (name: string): Pick<Client, 'language' | 'workspace' | 'version' | 'command'> => ({
  language: 'Programs and scripts',
  workspace: 'shell',
  version: '',
  command: () => [driverPath(`shell/${name}.sh`)],
})

export const OTHER_CLIENTS: readonly Client[] = [
  {
    language: 'Rust',
    name: 'azure_identity ManagedIdentityCredential',
    version: '1.0.0',
    workspace: 'rust',
    command: (workspace) => [`${workspace}/debug/azure_identity`],
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
    language: '.NET',
    name: 'Azure.Identity ManagedIdentityCredential',
    version: '1.13.2',
    workspace: 'dotnet',
    command: (workspace) => [`${workspace}/build/driver`],
    modes: ['system', 'client-id', 'host-override', 'app-service-2019', 'cloud-shell'],
  },
  {
    language: '.NET',
    name: 'Azure.Identity DefaultAzureCredential',
    version: '1.13.2',
    workspace: 'dotnet',
    command: (workspace) => [`${workspace}/build/driver`],
    variant: 'default',
    modes: ['system', 'client-id', 'host-override', 'app-service-2019'],
  },
  {
    language: 'Programs and scripts',
    name: 'rclone --azureblob-use-msi with Azurite',
    version: '1.60.1',
    workspace: 'rclone',
    command: (workspace) => [driverPath('shell/rclone.sh'), `${workspace}/usr/bin/rclone`],
    resource: STORAGE,
    modes: IMDS_MODES,
    needs: ['blob-storage'],
  },
  { ...shell('curl-grep'), name: 'curl and grep', modes: IMDS_MODES },
  { ...shell('fluent-bit'), name: "fluent-bit's request", modes: ['system', 'client-id'] },
  { ...shell('vm-extension'), name: 'curl to port 50342', modes: ['vm-extension'] },
]
